"""What a person decides about one number: another way, a hold, an end, a word that no reading can give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from migration.app import App
from migration.engine.itineraries import (
    ABORT,
    BACK_TO_ONPREM,
    FORWARD_RECOVERY,
    ITINERARIES,
    Itinerary,
    itinerary_named,
)
from migration.engine.runner import Busy
from migration.errors import OperationRefused
from migration.operations.approval import was_only_stopped
from migration.steps.both_sides import read_both, side_of
from migration.steps.outcomes import Outcome
from migration.steps.rollback_options import RollbackOption, RollbackState, rollback_option
from state.enums import Disposition, PinProvenance, Side, Status
from state.errors import Conflict
from state.rows import Position

NO_CODE_PAGE = "runbooks/code-never-comes.md"
ASKS_FOR_A_CODE = {
    "request_code": "request_code",
    "verify_code": "request_code",
    "request_code_onprem": "request_code_onprem",
    "verify_code_onprem": "request_code_onprem",
}


async def switch_itinerary(app: App, named: str, itinerary: str, because: str, by: str) -> Position:
    """Put a number on another itinerary, at its first step, also once it has crossed. Refused while an attempt is open.

    Raises NotFound, Conflict, LeaseLost, OperationRefused; then nothing was changed.
    """
    at = await app.queries.find(named)
    try:
        way = itinerary_named(itinerary.upper())
    except ValueError as exc:
        raise OperationRefused(f"there is no itinerary {itinerary}; there are {', '.join(ITINERARIES)}") from exc
    if at.itinerary == way.name:
        raise OperationRefused(f"{at.ref} is on {way.name} already")
    await app.ledger.operator_changes.switch(at.migration_id, way.name, way.first, because, by)
    return await app.queries.position(at.migration_id)


async def hold_number(app: App, named: str, by: str, because: str = "") -> Position:
    """Keep a number from crossing. Works while a worker acts: the gate is read at the very intent."""
    at = await _live(app, named)
    if at.hold:
        raise OperationRefused(f"{at.ref} is on hold already")
    await app.ledger.operator_changes.hold(at.migration_id, True, by, because)
    return await app.queries.position(at.migration_id)


async def release_number(app: App, named: str, by: str) -> Position:
    """Let a number that is on hold pass its gate."""
    at = await _live(app, named)
    if not at.hold:
        raise OperationRefused(f"{at.ref} is not on hold" + (f"; its wave is {at.wave}" if at.wave else ""))
    await app.ledger.operator_changes.hold(at.migration_id, False, by)
    return await app.queries.position(at.migration_id)


async def switch_to_abort(app: App, named: str, because: str, by: str) -> Position:
    """Put a number on its way to an end before its point of no return. Nothing is said to anybody yet.

    Raises Conflict past the point of no return or while the outcome of a call is not known.
    """
    at = await _live(app, named)
    await app.ledger.operator_changes.switch(
        at.migration_id, ABORT.name, ABORT.first, because, by, before_crossing=True
    )
    return await app.queries.position(at.migration_id)


async def abort(app: App, named: str, because: str, by: str) -> Outcome | Busy:
    """End a number before its point of no return: senders that were asked to wait are told to go on.

    Raises as `turn_to_abort` does.
    """
    at = await switch_to_abort(app, named, because, by)
    return await app.runner.run_one(at.migration_id)


@dataclass(frozen=True, slots=True)
class RollbackAssessment:
    """What the way back of a number looks like before anything is done."""

    position: Position
    option: RollbackOption
    side: Side


async def read_rollback_assessment(app: App, named: str) -> RollbackAssessment:
    """Whether the number can go back, with both sides read. Raises OperationRefused with what is possible instead."""
    at = await _any(app, named)
    view = await app.loader.of(at, await app.queries.now())
    both = await read_both(view)
    side = side_of(both, view)
    if at.itinerary == BACK_TO_ONPREM.name and at.ended_at is not None and side is Side.ON_PREMISES:
        raise OperationRefused(f"{at.ref} is back on On-Premises already; nothing was changed")
    if at.itinerary == BACK_TO_ONPREM.name and at.ended_at is None:
        raise OperationRefused(f"{at.ref} is on its way back already; `cutover run {at.ref}` goes on")
    if side is Side.ON_PREMISES:
        raise OperationRefused(f"{at.ref} never left On-Premises; nothing was changed{_ends_it(at)}")
    expires_at = both.onprem.expires_at if both.onprem is not None else None
    verified = both.cloud.code_verification_status == "VERIFIED"
    # A client that runs and says that it serves none was not only stopped.
    stopped = both.kind != "not_serving" and not both.cloud.registered and await was_only_stopped(app, at)
    return RollbackAssessment(at, rollback_option(view, expires_at, verified=verified, stopped=stopped), side)


async def back_to_onprem(app: App, back: RollbackAssessment, by: str) -> Position:
    """Put the number on its way back. Raises OperationRefused where that way is closed; then nothing was changed."""
    at = back.position
    if back.option.state is RollbackState.CLOSED:
        raise OperationRefused(f"the way back of {at.ref} is {back.option}; {_instead(back)}")
    because = f"asked for by {by}; the way back is {back.option}"
    if at.ended_at is None:
        await app.ledger.operator_changes.switch(
            at.migration_id, BACK_TO_ONPREM.name, BACK_TO_ONPREM.first, because, by
        )
        return await app.queries.position(at.migration_id)
    return await _begin_anew(app, at, BACK_TO_ONPREM, because, back.side)


def _ends_it(at: Position) -> str:
    if at.ended_at is not None:
        return ""
    return f'; `cutover abort {at.ref} --because "..." --confirm {at.ref}` ends its migration'


def _instead(back: RollbackAssessment) -> str:
    if back.side is Side.CLOUD:
        return "it serves from Cloud and stays there; nothing was changed"
    ref = back.position.ref
    if back.position.itinerary == FORWARD_RECOVERY.name and back.position.ended_at is None:
        return f"it is on its way forward already: `cutover run {ref}`; nothing was changed"
    forward = f'cutover resolve {ref} --switch FORWARD_RECOVERY --because "..." --confirm {ref}'
    return f"what is possible is forward: `{forward}`; nothing was changed"


async def retry_number(app: App, named: str, because: str, by: str) -> Position:
    """Let a blocked, waiting or held number be looked at again now."""
    at = await _live(app, named)
    if at.status in (Status.READY, Status.RUNNING):
        raise OperationRefused(f"{at.ref} is {at.status}; there is nothing to resolve")
    ask = ASKS_FOR_A_CODE.get(at.next_step or "") if at.runbook == NO_CODE_PAGE else None
    if ask is not None and await app.queries.open_attempt(at.migration_id) is None:
        # No code of those that were asked for will come any more; the person who says so allows another one.
        await app.ledger.operator_changes.reopen(at.migration_id, ask, because, by)
    else:
        await app.ledger.operator_changes.ready(at.migration_id, because, by)
    return await app.queries.position(at.migration_id)


async def recover_forward(app: App, named: str, because: str, by: str) -> Position:
    """Bring a number that is on neither side up on Cloud; also one whose migration has ended."""
    at = await _any(app, named)
    if at.ended_at is None:
        return await switch_itinerary(app, named, FORWARD_RECOVERY.name, because, by)
    return await _begin_anew(app, at, FORWARD_RECOVERY, because, Side.UNKNOWN)


async def record_onprem_off(app: App, named: str, because: str, by: str) -> Position:
    """A named person's word that the On-Premises client is off and stays off."""
    at = await _live(app, named)
    await app.ledger.operator_changes.state_onprem_off(at.number_id, by)
    return await _woken(app, at, because, by)


async def hand_in_pin(app: App, named: str, pin: SecretStr | None, because: str, by: str) -> Position:
    """A PIN that somebody knows, or (None) their word that two-step verification is off."""
    at = await _live(app, named)
    owner = f"number:{at.number_id}"
    if pin is None:
        await app.ledger.operator_changes.state_pin(at.number_id, owner, None, PinProvenance.TWO_STEP_OFF_STATED, by)
        await app.secret_store.shred_row(owner, "pin")
    else:
        if len(pin.get_secret_value()) != 6 or not pin.get_secret_value().isdigit():
            raise OperationRefused("a PIN is six digits; nothing was stored")
        sealed = app.secret_store.sealed(owner, "pin", pin)
        await app.ledger.operator_changes.state_pin(at.number_id, owner, sealed, PinProvenance.HANDED_IN, by)
    return await _woken(app, at, because, by)


async def spend_reserve(app: App, named: str, because: str, by: str) -> Position:
    """Let this migration use the last three register or deregister calls of 72 h."""
    at = await _live(app, named)
    await app.ledger.operator_changes.spend_reserve(at.migration_id, by, because)
    return await app.queries.position(at.migration_id)


async def dispose(app: App, named: str, disposition: str, because: str, by: str) -> Position:
    """End a number without moving it. Raises OperationRefused for an unknown end, Conflict once it has crossed."""
    try:
        end = Disposition(disposition.lower())
    except ValueError as exc:
        words = ", ".join(word.value for word in Disposition)
        raise OperationRefused(f"there is no disposition {disposition}; there are {words}") from exc
    at = await _live(app, named)
    if at.crossed_at is not None:
        raise Conflict(f"{at.ref} is past its point of no return; nothing was changed")
    evidence: Mapping[str, Any] = {"side": at.side, "step": at.next_step, "reason": at.reason}
    await app.ledger.operator_changes.dispose(at.number_id, end, because, evidence, by)
    return await app.queries.position(at.migration_id)


async def _begin_anew(app: App, at: Position, way: Itinerary, because: str, side: Side) -> Position:
    """Another migration of a number whose last one has ended, outside the wave that it was in."""
    started = await app.ledger.operator_changes.start(
        at.number_id,
        itinerary=way.name,
        first=way.first,
        because=because,
        side=side,
        in_wave=False,
        after=at.migration_id,
    )
    return await app.queries.position(started)


async def _woken(app: App, at: Position, because: str, by: str) -> Position:
    if at.status in (Status.BLOCKED, Status.WAITING, Status.HELD):
        await app.ledger.operator_changes.ready(at.migration_id, because, by)
    return await app.queries.position(at.migration_id)


async def _live(app: App, named: str) -> Position:
    at = await _any(app, named)
    if at.ended_at is not None:
        raise OperationRefused(f"{at.ref} is {at.status}; nothing was changed")
    return at


async def _any(app: App, named: str) -> Position:
    return await app.queries.find(named)
