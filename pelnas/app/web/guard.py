"""Who may ask the page's server, and what its answers forbid a browser.

The files of the page are the package's own, and anybody of this machine may have them. What is
about runs is for who sends the token, which the page keeps in the storage of its origin: no
other origin can read it there, other ports of this machine included.
"""

from collections.abc import Mapping

from pelnas.guard import App, Guard

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
WHERE = "open the address that `pelnas ui` printed last"


class PageGuard(Guard):
    """ASGI middleware: the shared guard, with the page's own files in front of it."""

    def __init__(self, app: App, token: str) -> None:
        super().__init__(app, token, WHERE, _is_file, HEADERS)


def _is_file(path: str) -> bool:
    return path == "/" or path.startswith("/static/")
