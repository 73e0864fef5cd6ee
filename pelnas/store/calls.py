"""Calls to language models: prompt, answer, tokens, outcome."""

import json
from dataclasses import fields

from pelnas.calls.call import CallRecord, Message
from pelnas.calls.usage import STORED, flat, nested
from pelnas.store.database import Database, Row, plain
from pelnas.store.decoding import checked, decodes, json_of

_COLUMNS = (*(field.name for field in fields(CallRecord) if field.name != "usage"), *STORED)
# A call that is made again under its id with another request has been paid twice:
# what the replaced ones cost stays in the sums. The same request again is the same call.
_UPSERT = (
    f"INSERT INTO calls ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    " ON CONFLICT (id) DO UPDATE SET"
    " earlier_calls = earlier_calls + (request != excluded.request),"
    " earlier_tokens = earlier_tokens"
    " + (request != excluded.request) * (tokens_in + tokens_out),"
    " earlier_dollars = earlier_dollars + (request != excluded.request) * coalesce(dollars, 0),"
    " earlier_unpriced = earlier_unpriced + (request != excluded.request) * (dollars IS NULL), "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "id")
)


class Calls:
    """Every call of a run, by ids that are fixed before the call is made."""

    _database: Database

    def record_call(self, call: CallRecord) -> None:
        """Store a call in place of one of the same id."""
        values = flat(call)
        values["messages"] = json.dumps([(m.role, m.content) for m in call.messages])
        values |= {"answer": plain(call.answer), "problem": plain(call.problem)}
        with self._database.transaction() as connection:
            connection.execute(_UPSERT, [values[name] for name in _COLUMNS])

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        """The call of this id, if it asked just this; whatever its outcome."""
        found = self._database.rows(
            "SELECT * FROM calls WHERE id = ? AND request = ?", (call_id, request)
        )
        return _call_of(found[0]) if found else None

    def call(self, call_id: str) -> CallRecord | None:
        """The call of this id."""
        found = self._database.rows("SELECT * FROM calls WHERE id = ?", (call_id,))
        return _call_of(found[0]) if found else None

    def calls(self, round_: int | None = None, agent: str | None = None) -> list[CallRecord]:
        """Calls of a round, of an agent, or all, in the order they were first recorded."""
        found = self._database.rows(
            "SELECT * FROM calls WHERE (?1 IS NULL OR round = ?1) AND (?2 IS NULL OR agent = ?2)"
            " ORDER BY rowid",
            (round_, agent),
        )
        return [_call_of(row) for row in found]


@decodes
def _call_of(row: Row) -> CallRecord:
    values = {name: row[name] for name in _COLUMNS}
    values["messages"] = tuple(Message(*message) for message in json_of(row["messages"]))
    call = CallRecord(**nested(values))
    checked(call.usage)
    return call
