"""Who may ask: this machine, by the token of the printed address, from the page itself.

Three things are kept out: other programs of other users on this machine (the
token), other web pages in the user's browser (the cookie is sent to nobody
else's requests, and writing needs a second secret that only the page can
read), and names that somebody points at 127.0.0.1 (the Host header).
"""

import hmac
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
PROOF = "x-pelnas-proof"  # header of requests that change something
READING = ("GET", "HEAD")


class Guard:
    """ASGI middleware; ``token`` opens the door, ``proof`` is what the page sends when it writes."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str, cookie: str) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._cookie = cookie
        self.proof = secrets.token_urlsafe(24)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        scope.setdefault("state", {})["proof"] = self.proof
        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, request: Request) -> Response | None:
        """The answer in place of the page's, or ``None`` for a request that may pass."""
        if request.headers.get("host", "") not in self._hosts:
            return _refuse(
                421, "expected a request to 127.0.0.1, found another host: use the address"
            )
        offered = request.query_params.get("token")
        if offered is not None and request.url.path == "/" and request.method in READING:
            return self._let_in(offered)
        if not _same(request.cookies.get(self._cookie, ""), self._token):
            return _refuse(401, "this page is closed: open the address that `pelnas ui` printed")
        if request.method not in READING:
            return self._refuse_writing(request.headers)
        return None

    def _let_in(self, offered: str) -> Response:
        """Swap the token of the address for a cookie, so that the address bar does not show it."""
        if not _same(offered, self._token):
            return _refuse(
                401, "this address is of an earlier `pelnas ui`: use the one it printed last"
            )
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return response

    def _refuse_writing(self, headers: Headers | Mapping[str, str]) -> Response | None:
        origin = headers.get("origin")
        ours = origin is None or origin.removeprefix("http://") in self._hosts
        if not ours or not _same(headers.get(PROOF, ""), self.proof):
            return _refuse(403, "this request does not come from the page: reload it and try again")
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            return _refuse(415, "expected a request in JSON: reload the page and try again")
        return None


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _refuse(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
