"""What the person needs to know who lets numbers cross: which numbers these are, and which of them could go back."""

from collections.abc import Iterable, Sequence

from migration.app import App
from migration.steps.rollback_options import PREFLIGHT, RollbackFacts, RollbackOption, assess_rollback, only_stopped
from state.enums import Released
from state.rows import Position


def not_crossed(board: Iterable[Position]) -> list[Position]:
    """The numbers that have neither crossed nor ended."""
    return [position for position in board if position.crossed_at is None and position.ended_at is None]


def released_numbers(released: str, board: Iterable[Position]) -> list[Position]:
    """The numbers of a wave that may still cross if `released` is the wave's release."""
    if released == Released.NONE:
        return []
    return [position for position in not_crossed(board) if position.canary or released == Released.ALL]


async def recorded_rollback_option(app: App, position: Position) -> RollbackOption:
    """The way back by what a preflight or the number's first step last read. Reads neither side."""
    snapshot = (await app.queries.records.findings(position.migration_id)).get("snapshot")
    preflight = (await app.queries.records.findings(position.migration_id, "note")).get(PREFLIGHT)
    findings = [finding for finding in (snapshot, preflight) if finding is not None]
    newest = max(findings, key=lambda finding: finding.at, default=None)
    recorded = newest.facts if newest is not None else {}
    stopped = await was_only_stopped(app, position)
    facts = RollbackFacts.of(position, recorded, await app.queries.fleet.field_facts(), stopped=stopped)
    return assess_rollback(facts, await app.queries.now())


async def was_only_stopped(app: App, position: Position) -> bool:
    """Whether the only thing that was done to the number is that its client was stopped."""
    return only_stopped(position, [row["step"] for row in await app.queries.records.attempts(position.migration_id)])


async def recorded_rollback_options(app: App, numbers: Sequence[Position]) -> list[RollbackOption]:
    return [await recorded_rollback_option(app, position) for position in numbers]
