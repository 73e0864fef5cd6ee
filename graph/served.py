"""The graphs that ``langgraph.json`` and ``pelnas serve`` serve, over the runs below one folder.

A client of ``search`` posts ``{"settings": {...}}`` and gets the front; one of ``chat`` sends
messages. Both are for anybody who reaches the server: the environment says what they may choose.
"""

import os
from pathlib import Path

from pelnas.graph.chat import build_chat
from pelnas.graph.search import build_graph
from pelnas.graph.sessions import ServedSessions
from pelnas.graph.state import SearchInput
from pelnas.graph.terms import RUNS, Terms
from pelnas.graph.voices import OfferedVoices
from pelnas.paths import expanded

SERVED = expanded(Path(os.environ.get(RUNS) or "runs"))  # of the working directory

_terms = Terms.from_environment()
search = build_graph(ServedSessions(SERVED, _terms), given=SearchInput)
chat = build_chat(SERVED, voices=OfferedVoices.from_environment(), permit=_terms.permit)
