"""The guard in front of the served graphs: ``http.app`` of ``langgraph.json`` and ``pelnas serve``.

LangGraph's server takes the middleware of such an application around everything it answers. Its
own answers let any page of any origin read and write; these checks come first.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from pelnas.graph.serve.policy import TOKEN
from pelnas.guard import Guard, chosen_token

app = Starlette(
    middleware=[Middleware(Guard, token=chosen_token(TOKEN), where=f"it is that of {TOKEN}")]
)
