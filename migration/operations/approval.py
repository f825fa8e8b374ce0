"""What the person needs to know who lets numbers cross: which numbers these are, and which of them could go back."""

from collections.abc import Iterable, Sequence

from migration.steps.rollback_options import PREFLIGHT, RollbackFacts, RollbackOption, assess_rollback, only_stopped
from migration.waves.next_command import is_released
from state.enums import Released
from state.queries.queries import Queries
from state.rows import Position, WaveRow


def not_crossed(board: Iterable[Position]) -> list[Position]:
    """The numbers that have neither crossed nor ended."""
    return [position for position in board if position.crossed_at is None and position.ended_at is None]


def released_numbers(row: WaveRow, board: Iterable[Position]) -> list[Position]:
    """The numbers of a wave that may still cross, as it is released now: a hold wins over it."""
    return [one for one in not_crossed(board) if not one.hold and is_released(one, row.released)]


def numbers_of(part: Released, board: Iterable[Position]) -> list[Position]:
    """The numbers of a wave that may still cross once this part of it, and nothing else, is released."""
    return [one for one in not_crossed(board) if not one.hold and (one.canary or part is Released.ALL)]


async def recorded_rollback_option(queries: Queries, position: Position) -> RollbackOption:
    """The way back by what a preflight or the number's first step last read. Reads neither side."""
    snapshot = (await queries.records.findings(position.migration_id)).get("snapshot")
    preflight = (await queries.records.findings(position.migration_id, "note")).get(PREFLIGHT)
    findings = [finding for finding in (snapshot, preflight) if finding is not None]
    newest = max(findings, key=lambda finding: finding.at, default=None)
    recorded = newest.facts if newest is not None else {}
    stopped = await was_only_stopped(queries, position)
    facts = RollbackFacts.of(position, recorded, await queries.fleet.field_facts(), stopped=stopped)
    return assess_rollback(facts, await queries.now())


async def was_only_stopped(queries: Queries, position: Position) -> bool:
    """Whether the only thing that was done to the number is that its client was stopped."""
    return only_stopped(position, [row["step"] for row in await queries.records.attempts(position.migration_id)])


async def recorded_rollback_options(queries: Queries, numbers: Sequence[Position]) -> list[RollbackOption]:
    return [await recorded_rollback_option(queries, position) for position in numbers]
