"""Where the served graphs keep their threads: memory, or the Postgres that ``PELNAS_POSTGRES`` names.

Run folders stay the truth of searches: a thread holds where a graph stands, and conversations.
``pelnas serve`` takes it by itself; a ``langgraph.json`` names it as
``"checkpointer": {"path": "pelnas.graph.serve.checkpointer.postgres"}``.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from pelnas.errors import ConfigError
from pelnas.text import install

if TYPE_CHECKING:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

POSTGRES = "PELNAS_POSTGRES"
PATIENCE = 10  # seconds for a connection
AT_ONCE = 8  # connections


def address() -> str | None:
    """What ``PELNAS_POSTGRES`` says; ``None``: threads are kept in memory.

    ConfigError: it names a database, and the packages for it are not installed.
    """
    named = os.environ.get(POSTGRES, "").strip()
    if not named:
        return None
    if any(find_spec(module) is None for module in ("psycopg", "psycopg_pool")):
        raise ConfigError(f"expected a driver for {POSTGRES}, found none: {install('postgres')}")
    return named


async def check() -> None:
    """ConfigError: the database cannot be reached. Its address, which may hold a password, is not told."""
    from psycopg import AsyncConnection, Error, ProgrammingError

    named = address()
    if named is None:
        return
    try:
        async with await AsyncConnection.connect(named, connect_timeout=PATIENCE):
            return
    except ProgrammingError:
        found = "no address"
    except Error as error:
        found = type(error).__name__
    raise ConfigError(
        f"expected a Postgres database at the address of {POSTGRES}, found none that answers"
        f" ({found}): write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, and start the server"
    )


@asynccontextmanager
async def postgres() -> "AsyncIterator[AsyncPostgresSaver]":
    """Checkpoints in Postgres, whose tables are made where they are not there yet.

    What is read back is plain values and LangChain's messages: a database that somebody else can
    write to runs nothing here. ConfigError: ``PELNAS_POSTGRES`` names no database that answers.
    """
    await check()
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import AsyncConnection
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    named = address()
    if named is None:
        raise ConfigError(f"expected the address of a Postgres database in {POSTGRES}, found none")
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    strict = JsonPlusSerializer(allowed_msgpack_modules=None)
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
        named, min_size=1, max_size=AT_ONCE, kwargs=options, timeout=PATIENCE, open=False
    )
    async with pool:
        saver = AsyncPostgresSaver(pool, serde=strict)
        await saver.setup()
        yield saver
