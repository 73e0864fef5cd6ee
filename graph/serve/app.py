"""The guard in front of the served graphs: ``http.app`` of ``langgraph.json`` and ``pelnas serve``.

LangGraph's server takes the middleware of such an application around everything it answers. Its
own answers let any page of any origin read and write; these checks come first.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from pelnas.graph.serve.policy import TOKEN
from pelnas.guard import Guard, Scope, chosen_token

INSIDE = "/noauth"  # the root path of calls that LangGraph's server makes to itself


class ServedGuard(Guard):
    """The guard, which a request passes once.

    An A2A request becomes calls of the server to itself, within the process and with the headers of
    that request, after it has passed. They have no port, which what comes over a socket has, and
    no client can choose a root path.
    """

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        port = (scope.get("server") or ("", 0))[1]
        inside = port is None and str(scope.get("root_path") or "").startswith(INSIDE)
        return None if inside else super()._refusal(scope)


app = Starlette(
    middleware=[Middleware(ServedGuard, token=chosen_token(TOKEN), where=f"it is that of {TOKEN}")]
)
