"""The table of proxies: a name, its function, its floor, and the passes it reads."""

from collections.abc import Callable
from dataclasses import dataclass

from pelnas.errors import ProxyError
from pelnas.plugins import Group
from pelnas.proxies import FLOOR, GROUP, az, saliency, separation, size, zen
from pelnas.proxies.passes import CURVATURE, FISHER, INPUTS, KERNEL, LOSS, Passes


@dataclass(frozen=True, slots=True)
class Proxy:
    """One zero-cost proxy.

    ``compute``: from the shared passes to a float; what is not finite becomes the floor,
    and ``None`` says that the proxy is not defined for the network.
    ``floor``: the value of a network in which no signal flows.
    ``needs``: what the shared forward pass has to record.
    ``signal``: whether a network whose output ignores its input gets the floor at once.
    """

    name: str
    compute: Callable[[Passes], float | None]
    floor: float = FLOOR
    needs: frozenset[str] = frozenset()
    signal: bool = True


def _proxy(
    compute: Callable[[Passes], float | None],
    *needs: str,
    floor: float = FLOOR,
    signal: bool = True,
) -> Proxy:
    return Proxy(compute.__name__, compute, floor, frozenset(needs), signal)


#: The thirteen of NAS-Bench-Suite-Zero, the four of AZ-NAS, ZiCo and the entropy of DeepMAD;
#: more is better in none of them by definition: that is for a predictor to know.
PROXIES: dict[str, Proxy] = {
    proxy.name: proxy
    for proxy in (
        _proxy(separation.epe_nas, INPUTS),
        _proxy(saliency.fisher, FISHER, floor=0.0),
        _proxy(size.flops, floor=0.0, signal=False),
        _proxy(saliency.grad_norm, LOSS, floor=0.0),
        _proxy(saliency.grasp, CURVATURE, floor=0.0),
        _proxy(separation.jacov, INPUTS),
        _proxy(size.l2_norm, floor=0.0, signal=False),
        _proxy(separation.nwot, KERNEL),
        _proxy(size.params, floor=0.0, signal=False),
        _proxy(saliency.plain, LOSS, floor=0.0),
        _proxy(saliency.snip, LOSS, floor=0.0),
        _proxy(saliency.synflow, floor=0.0, signal=False),
        _proxy(zen.zen, signal=False),
        _proxy(az.expressivity, signal=False),
        _proxy(az.progressivity, signal=False),
        _proxy(az.trainability, signal=False),
        Proxy("complexity", size.flops, 0.0, frozenset(), signal=False),
        _proxy(az.zico),
        _proxy(size.entropy, floor=0.0, signal=False),
    )
}

#: Proxies of other packages; an entry point names a ``Proxy``.
PLUGINS = Group(GROUP, "proxy", Proxy, ProxyError)

SUITE_ZERO = tuple(PROXIES)[:13]


def known_proxies() -> tuple[str, ...]:
    """The names of all proxies: of the table, then of other packages. None of these is loaded."""
    return (*PROXIES, *PLUGINS.names(besides=PROXIES))


def get_proxy(name: str) -> Proxy:
    """The proxy of this name. ProxyError: there is none, or its package cannot be loaded."""
    proxy = PROXIES.get(name) or PLUGINS.make(name)
    if proxy is None:
        raise ProxyError(f"unknown proxy {name!r}: use some of {', '.join(known_proxies())}")
    return proxy
