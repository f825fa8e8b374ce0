"""What was read of a number after its move, beside what was true before: the lines of the last comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger import events, findings
from state.models import MigrationTable
from state.proof import limit_lowered
from state.types import SqlClock

KEPT_AS = "parity"
PROFILE = ("about", "address", "description", "email", "vertical", "websites", "picture")


class Parity:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def keep(self, migration_id: int, lines: Sequence[Mapping[str, Any]]) -> None:
        """Replace the lines of the last comparison; the event counts them. The migration may have ended.

        What of the profile is lost and whether the limit was lowered is known of the number from then on.
        """
        counts: dict[str, int] = {}
        for line in lines:
            counts[str(line["verdict"])] = counts.get(str(line["verdict"]), 0) + 1
        async with self._engine.begin() as tx:
            locked = (
                update(MigrationTable)  # locks the row, which keeps the events in one chain
                .where(MigrationTable.id == migration_id)
                .values(events=MigrationTable.events, **_lost(lines, self._clock.now()))
                .returning(self._clock.now().label("now"))
            )
            now = (await tx.execute(locked)).scalar_one()
            facts = {"lines": [dict(line) for line in lines]}
            await findings.put_finding(tx, migration_id, KEPT_AS, "result", facts, now)
            await events.append(tx, migration_id, now, "compared", counts)


def _lost(lines: Sequence[Mapping[str, Any]], now: Any) -> dict[str, Any]:
    """Columns that `state/proof.py` reads."""
    shown = {str(line["what"]): line for line in lines}
    if "profile afterwards" in shown:  # it could not be read
        return {}
    lost = [name for name in PROFILE if name in shown and _is_gone(shown[name])]
    found: dict[str, Any] = {"profile_lost": ", ".join(lost) or None}
    if "picture" in shown and "picture" not in lost:
        found["profile_read_at"] = now
    if (limit := shown.get("messaging limit")) is not None:
        found["limit_lowered"] = limit_lowered(limit.get("before"), limit.get("after"))
    return found


def _is_gone(line: Mapping[str, Any]) -> bool:
    return line.get("before") is not None and line.get("after") is None
