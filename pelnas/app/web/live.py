"""The events of a run as they happen, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool

from pelnas.store import RunStore
from pelnas.store.folder import in_use

PAUSE = 0.4  # seconds between two looks at the store
BEAT = 10.0  # seconds after which the state is sent again, so that a killed search is noticed


def never() -> bool:
    """Of a server that nobody stops."""
    return False


async def tail(
    store: RunStore, after: int, ended: Callable[[], bool] = never
) -> AsyncIterator[bytes]:
    """Events with a ``seq`` above ``after``, for as long as somebody listens; closes the store.

    ``ended``: whether the server is about to stop; the browser comes back when it is there again.

    The ``seq`` is the message's id: a browser that reconnects names the last it got.
    Messages of the kind ``state`` say ``running``, ``stopped`` or ``finished``.
    """
    quiet = BEAT
    try:
        while not ended():
            events = await run_in_threadpool(store.events, after)
            for event in events:
                after = event.seq
                yield _message(asdict(event) | {"data": dict(event.data)}, event.seq)
            quiet = BEAT if events else quiet + PAUSE
            if quiet >= BEAT:
                yield _message(await run_in_threadpool(state, store), kind="state")
                quiet = 0.0
            await asyncio.sleep(PAUSE)
    finally:
        store.close()


def state(store: RunStore) -> str:
    """``running``: a process works on it now; ``stopped``: it can be resumed; ``finished``."""
    if store.status == "finished":
        return "finished"
    return "running" if in_use(store.folder) else "stopped"


def _message(data: object, seq: int | None = None, kind: str = "") -> bytes:
    lines = [f"id: {seq}"] if seq is not None else []
    lines += [f"event: {kind}"] if kind else []
    return "\n".join([*lines, f"data: {json.dumps(data)}", "", ""]).encode()
