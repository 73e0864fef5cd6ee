"""The graphs that ``langgraph.json`` and ``pelnas serve`` serve, over the runs below one folder.

A client of ``search`` posts ``{"settings": {...}}`` and gets the front; one of ``chat`` sends
messages. Both are for anybody who reaches the server: the environment says what they may choose.
"""

import os
from pathlib import Path

from pelnas.graph.chat.chat_models import OfferedModels
from pelnas.graph.chat.graph import build_chat
from pelnas.graph.search.graph import build_graph
from pelnas.graph.serve.policy import RUNS, Policy
from pelnas.graph.serve.served_input import ServedInput
from pelnas.graph.serve.served_runs import ServedSessions
from pelnas.inputs.paths import expanded

SERVED = expanded(Path(os.environ.get(RUNS) or "runs"))  # of the working directory

_policy = Policy.from_environment()
search = build_graph(ServedSessions(SERVED, _policy), given=ServedInput)
chat = build_chat(SERVED, models=OfferedModels.from_environment(), permit=_policy.permit)
