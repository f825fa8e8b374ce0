"""Taking a number back to On-Premises, where a way back exists."""

from dataclasses import dataclass

from migration.app import App
from migration.clients.onprem_reading import Reading
from migration.engine.itineraries import BACK_TO_ONPREM, FORWARD_RECOVERY
from migration.errors import OperationRefused
from migration.operations.approval import was_only_stopped
from migration.operations.numbers import begin_new_migration
from migration.steps.both_sides import read_both, side_of
from migration.steps.rollback_options import RollbackOption, RollbackState, rollback_option
from state.enums import Side
from state.rows import Position


@dataclass(frozen=True, slots=True)
class RollbackAssessment:
    """Whether a number can go back, by a reading of both sides. Nothing has been changed yet."""

    position: Position
    option: RollbackOption
    side: Side


async def read_rollback_assessment(app: App, number: str) -> RollbackAssessment:
    """Read both sides and assess the way back.

    Raises NotFound, the clients' errors, or OperationRefused for a number that is on On-Premises or on its way there.
    """
    position = await app.queries.positions.find(number)
    view = await app.loader.load(position, await app.queries.now())
    both = await read_both(view)
    side = side_of(both, view)
    going_back = position.itinerary == BACK_TO_ONPREM.name
    if going_back and position.ended_at is not None and side is Side.ON_PREMISES:
        raise OperationRefused(f"{position.ref} is back on On-Premises already; nothing was changed")
    if going_back and position.ended_at is None:
        raise OperationRefused(f"{position.ref} is on its way back already; `cutover run {position.ref}` goes on")
    if side is Side.ON_PREMISES:
        advice = _advice_to_abort(position)
        raise OperationRefused(f"{position.ref} never left On-Premises; nothing was changed{advice}")
    expires_at = both.onprem.expires_at if both.onprem is not None else None
    verified = both.cloud.code_verification_status == "VERIFIED"
    # A client that runs and reports that it serves no number was not only stopped.
    not_serving = both.onprem is not None and both.onprem.kind is Reading.NOT_SERVING
    stopped = not not_serving and not both.cloud.registered and await was_only_stopped(app.queries, position)
    option = rollback_option(view, expires_at, verified=verified, stopped=stopped)
    return RollbackAssessment(position, option, side)


async def back_to_onprem(app: App, assessment: RollbackAssessment, by: str) -> Position:
    """Put the number on the itinerary BACK_TO_ONPREM. Raises OperationRefused if the way back is closed."""
    position = assessment.position
    if assessment.option.state is RollbackState.CLOSED:
        alternative = _alternative(assessment)
        raise OperationRefused(f"the way back of {position.ref} is {assessment.option}; {alternative}")
    because = f"asked for by {by}; the way back is {assessment.option}"
    if position.ended_at is not None:
        return await begin_new_migration(app, position, BACK_TO_ONPREM, because, assessment.side, by)
    await app.ledger.operator_changes.switch(
        position.migration_id, BACK_TO_ONPREM.name, BACK_TO_ONPREM.first, because, by
    )
    return await app.queries.positions.get(position.migration_id)


def _advice_to_abort(position: Position) -> str:
    if position.ended_at is not None:
        return ""
    return f'; `cutover abort {position.ref} --because "..." --confirm {position.ref}` ends its migration'


def _alternative(assessment: RollbackAssessment) -> str:
    if assessment.side is Side.CLOUD:
        return "it serves from Cloud and stays there; nothing was changed"
    position, ref = assessment.position, assessment.position.ref
    if position.itinerary == FORWARD_RECOVERY.name and position.ended_at is None:
        return f"it is on its way forward already: `cutover run {ref}`; nothing was changed"
    command = f'cutover resolve {ref} --switch FORWARD_RECOVERY --because "..." --confirm {ref}'
    return f"what is possible is forward: `{command}`; nothing was changed"
