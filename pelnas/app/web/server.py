"""The server of the page: on loopback, with a secret address, serving nothing but the package."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from pelnas.agents.models.base import LanguageModel
from pelnas.app.socket import LOOPBACK, listen
from pelnas.app.web.api import Api, complain
from pelnas.app.web.guard import PageGuard
from pelnas.app.web.library import Library
from pelnas.app.web.live import never
from pelnas.app.web.starts import Starts
from pelnas.app.web.steering import Talks
from pelnas.errors import InputError
from pelnas.guard import new_token

STATIC = Path(str(files("pelnas.app.web") / "static"))
YEAR = "private, max-age=31536000, immutable"  # the page asks for it by version


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"  # kept, and asked for whether it changed
        return response


class Site:
    """One server: ``address`` opens the page in a browser."""

    def __init__(self, output: Path, port: int = 0, model: LanguageModel | None = None) -> None:
        """Take a port; 0: any that is free. ConfigError: it is taken.

        ``model``: reads natural language in conversations.
        """
        self.output = output
        self.token = new_token()
        self._socket = listen(port)
        self.port = int(self._socket.getsockname()[1])
        self.app = make_app(output, self.token, self._ended, model)
        settings = uvicorn.Config(
            self.app, log_level="warning", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)

    @property
    def address(self) -> str:
        """Opens the page; what is added to it is the view. What follows # is sent to nobody."""
        return f"http://{LOOPBACK}:{self.port}/#key={self.token}"

    def serve(self) -> None:
        """Answer until ``stop`` or a signal to end."""
        with suppress(KeyboardInterrupt):
            self._server.run(sockets=[self._socket])

    def _ended(self) -> bool:
        return self._server.should_exit

    def stop(self) -> None:
        """Make ``serve`` return soon; from any thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Give the port back without having served."""
        self._socket.close()


def make_app(
    output: Path,
    token: str,
    ended: Callable[[], bool] = never,
    model: LanguageModel | None = None,
) -> Starlette:
    """The page over the runs in ``output``; only who knows the token gets anything.

    ``ended``: whether the server is about to stop, so that what is followed ends in time.
    ``model``: reads natural language in conversations.
    """
    api = Api(Library(output), Starts(output), Talks(model), ended)
    guard = Middleware(PageGuard, token=token)
    return Starlette(
        routes=list(_routes(api)),
        middleware=[guard],
        exception_handlers={
            InputError: complain,
            OSError: complain,
            HTTPException: complain,
        },
    )


def _routes(api: Api) -> Iterable[BaseRoute]:
    yield Route("/", _index)
    yield Route("/static/plotly.min.js", _plotly)
    yield Mount("/static", _Files(directory=STATIC))
    yield from api.routes()


async def _index(_: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _plotly(_: Request) -> Response:
    """The library as its own package brings it."""
    script = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
    return FileResponse(script, headers={"Cache-Control": YEAR}, media_type="text/javascript")
