"""Are the rows of attempts, field facts and dispositions what the chains of events say they have to be?"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import AttemptEnd
from state.ledger import recorded_rows
from state.ledger.events import without_persons
from state.ledger.forgetting import FORGOTTEN, GONE
from state.models import AttemptTable, NumberTable
from state.models import MigrationTable as Migrations
from state.record_key import RecordKey

Difference = tuple[str, str]  # the place, and what is wrong there
WHAT = {recorded_rows.FACTS: "field fact {}", recorded_rows.DISPOSITIONS: "{}, disposition"}


@dataclass(slots=True)
class _Said:
    """What the events say of one attempt; a digest in the place of each set of facts."""

    step: str
    opened_at: Any
    intent: str | None
    times: tuple[str, str] | None
    ended: str | None = None
    ended_at: Any = None
    answer: str | None = None


class AttemptsOnRecord:
    """Fed with the events of every migration, in order; then compared with the table.

    `lost_key`: references of events were made under a key that is lost, so that they can be compared with nothing.
    """

    def __init__(self, *, lost_key: bool) -> None:
        self._lost_key = lost_key
        self._said: dict[tuple[int, int], _Said] = {}
        self._open: dict[int, _Said] = {}

    def take(self, event: RowMapping) -> None:
        facts, migration_id = event["facts"], int(event["migration_pk"])
        if event["kind"] == "intent":
            intent = self._digest(facts["intent"]) if "intent" in facts else None
            times = (facts["answer_due"], facts["settle_by"]) if "settle_by" in facts else None
            said = _Said(str(facts["step"]), event["at"], intent, times)
            self._said[migration_id, int(facts["attempt"])] = self._open[migration_id] = said
            return
        ends = str(AttemptEnd.NOT_DONE.value) if event["kind"] == "not_done" else facts.get("attempt_end")
        said_open = self._open.pop(migration_id, None) if ends is not None else None
        if said_open is not None:
            answer = facts.get("witnesses") if event["kind"] == "not_done" else facts.get("answer")
            said_open.ended, said_open.ended_at, said_open.answer = ends, event["at"], self._digest(answer or {})

    def _digest(self, facts: Any) -> str:
        return _digest(without_persons(None, facts) if self._lost_key else facts)

    async def differences(
        self, connection: AsyncConnection, key: RecordKey, forgotten: frozenset[str]
    ) -> Sequence[Difference]:
        """`forgotten`: references of numbers whose customer was forgotten; what their calls held is gone."""
        left, found = dict(self._said), []
        query = (
            select(AttemptTable.__table__, NumberTable.ref)
            .join(Migrations, Migrations.id == AttemptTable.migration_pk)
            .join(NumberTable, NumberTable.id == Migrations.number_pk)
            .order_by(AttemptTable.migration_pk, AttemptTable.number)
        )
        rows = await connection.stream(query)
        async for row in rows.mappings():
            place = f"{row['ref']}, attempt {row['number']}"
            said = left.pop((row["migration_pk"], row["number"]), None)
            if said is None:
                found.append((place, "it is in none of its events"))
            elif wrong := list(_wrong(row, said, key, emptied=row["ref"] in forgotten)):
                found.append((place, f"{', '.join(wrong)}: not what its events say"))
        refs = await _refs(connection) if left else {}
        found += [
            (f"{refs.get(migration_id, f'migration {migration_id}')}, attempt {number}", "its row is missing")
            for migration_id, number in left
        ]
        return found


async def _refs(connection: AsyncConnection) -> dict[int, str]:
    query = select(Migrations.id, NumberTable.ref).join(NumberTable, NumberTable.id == Migrations.number_pk)
    return {int(row.id): str(row.ref) for row in await connection.execute(query)}


def _wrong(row: RowMapping, said: _Said, key: RecordKey, *, emptied: bool) -> Iterator[str]:
    """Names of the columns that differ."""
    if row["step"] != said.step or row["key"] != f"{row['migration_pk']}/{said.step}/{row['number']}":
        yield "step"
    if row["opened_at"] != said.opened_at:
        yield "opened_at"
    if said.times is not None and (str(row["answer_due"]), str(row["settle_by"])) != said.times:
        yield "settle_by"
    if (row["ended"], row["ended_at"]) != (said.ended, said.ended_at):
        yield "ended"
    if emptied and row["intent"] == {GONE: True} and row["answer"] is None:
        return
    if said.intent is not None and said.intent not in _digests(row["intent"], key):
        yield "intent"
    if said.ended is not None and said.answer not in _digests(row["answer"] or {}, key):
        yield "answer"


def _digests(facts: Any, key: RecordKey) -> frozenset[str]:
    """Of the facts as an event keeps them: under the key, without one, or by a release that kept all of them."""
    return frozenset(_digest(kept) for kept in (without_persons(key, facts), without_persons(None, facts), facts))


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def forgotten_numbers(home_events: Iterable[RowMapping]) -> frozenset[str]:
    return frozenset(
        ref for event in home_events if event["kind"] == FORGOTTEN for ref in event["facts"].get("numbers", ())
    )


async def changed_rows(
    connection: AsyncConnection, key: RecordKey, home_events: Iterable[RowMapping]
) -> Sequence[Difference] | None:
    """Field facts and dispositions that are not what the home's events say; None before these were taken over."""
    expected = recorded_rows.rows_of_events(home_events)
    if expected is None:
        return None
    found, differences = await recorded_rows.rows_now(connection, key), []
    for table, rows in expected.items():
        for name in sorted({*rows, *found[table]}):
            said, stands = rows.get(name), found[table].get(name)
            if said != stands:
                what = "it was removed" if stands is None else "it was added" if said is None else "it was changed"
                differences.append((WHAT[table].format(name), what))
    return differences
