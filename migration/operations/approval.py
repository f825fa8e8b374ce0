"""What whoever lets numbers cross has to know: which numbers those are, and which of them could go back."""

from collections.abc import Iterable, Sequence

from migration.app import App
from migration.steps.rollback_options import PREFLIGHT, RollbackFacts, RollbackOption, assess_rollback, only_stopped
from state.enums import Released
from state.rows import Position


def not_crossed(board: Iterable[Position]) -> list[Position]:
    """Those that have neither crossed nor ended."""
    return [at for at in board if at.crossed_at is None and at.ended_at is None]


def released_numbers(released: str, board: Iterable[Position]) -> list[Position]:
    """The numbers of a wave that may still cross when so much of it is released."""
    if released == Released.NONE:
        return []
    return [at for at in not_crossed(board) if at.canary or released == Released.ALL]


async def recorded_rollback_option(app: App, at: Position) -> RollbackOption:
    """As it was last seen, by a preflight or by the number's own first step: no side is looked at."""
    snapshot = (await app.queries.findings(at.migration_id)).get("snapshot")
    looked = (await app.queries.findings(at.migration_id, "note")).get(PREFLIGHT)
    newest = max((one for one in (snapshot, looked) if one is not None), key=lambda one: one.at, default=None)
    seen = newest.facts if newest is not None else {}
    known = RollbackFacts.of(at, seen, await app.queries.field_facts(), stopped=await was_only_stopped(app, at))
    return assess_rollback(known, await app.queries.now())


async def was_only_stopped(app: App, at: Position) -> bool:
    return only_stopped(at, [row["step"] for row in await app.queries.attempts(at.migration_id)])


async def recorded_rollback_options(app: App, numbers: Sequence[Position]) -> list[RollbackOption]:
    return [await recorded_rollback_option(app, at) for at in numbers]
