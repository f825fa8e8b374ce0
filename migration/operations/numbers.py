"""What a person can decide about one number: hold, release, abort, change its itinerary, state a fact.

`number` is a reference, an E.164 number or a phone number id, as a person typed it. `by` is the person, `because` the
reason that they gave; both are stored in the number's history. Every function raises NotFound for an unknown number,
and OperationRefused, Conflict or LeaseLost if the state does not allow the change; then nothing was changed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from migration.app import App
from migration.engine.itineraries import (
    ABORT,
    AFTER_CROSSING,
    FORWARD_RECOVERY,
    ITINERARIES,
    Itinerary,
    itinerary_named,
)
from migration.engine.runner import Busy
from migration.errors import CredentialsRefused, OperationRefused, Rejected, Transient
from migration.operations.open_calls import settle_open_call
from migration.operations.restored import sides_and_service
from migration.scrubbing.texts import Scrubber, ids_of
from migration.steps.foreign_register import FOREIGN_PAGE
from migration.steps.outcomes import Outcome
from state.code_steps import NO_CODE_PAGE, REQUESTED_BY
from state.enums import Disposition, PinProvenance, Side, Status
from state.errors import Conflict
from state.phone_spelling import plain_figure
from state.proof import kept_by_reports
from state.rows import Position
from state.service import Service, Sighting, follow, service_of_row

PIN_PATTERN = re.compile(r"[0-9]{6}")


async def switch_itinerary(app: App, number: str, itinerary: str, because: str, by: str) -> Position:
    """Put a number on another itinerary, at its first step, also after it has crossed. Not while an attempt is open."""
    position = await app.queries.positions.find(number)
    try:
        target = itinerary_named(itinerary.upper())
    except ValueError as exc:
        raise OperationRefused(f"there is no itinerary {itinerary}; there are {', '.join(ITINERARIES)}") from exc
    if position.itinerary == target.name:
        raise OperationRefused(f"{position.ref} is on {target.name} already")
    await app.ledger.operator_changes.switch(position.migration_id, target.name, target.first, because, by)
    return await app.queries.positions.get(position.migration_id)


async def hold_number(app: App, number: str, by: str, because: str = "") -> Position:
    """Keep a number from crossing. Possible while a worker runs it: the gate is read when the intent is committed."""
    position = await _find_live(app, number)
    if position.hold:
        raise OperationRefused(f"{position.ref} is on hold already")
    await app.ledger.operator_changes.hold(position.migration_id, True, by, because)
    return await app.queries.positions.get(position.migration_id)


async def release_number(app: App, number: str, by: str) -> Position:
    """Let a number pass its gate: one that is on hold, or in no wave and kept by what Meta reports of its account."""
    position = await _find_live(app, number)
    kept = position.wave is None and kept_by_reports(position, await app.queries.now()) is not None
    if not position.hold and not kept:
        wave = f"; its wave is {position.wave}" if position.wave else ""
        raise OperationRefused(f"{position.ref} is not on hold{wave}")
    await app.ledger.operator_changes.hold(position.migration_id, False, by)
    return await app.queries.positions.get(position.migration_id)


async def switch_to_abort(app: App, number: str, because: str, by: str) -> Position:
    """Put a number on the itinerary ABORT, before its point of no return. Does not notify the senders yet.

    Raises Conflict past the point of no return, and while the outcome of a call is unknown.
    """
    position = await _find_live(app, number)
    await app.ledger.operator_changes.switch(
        position.migration_id, ABORT.name, ABORT.first, because, by, before_crossing=True
    )
    return await app.queries.positions.get(position.migration_id)


async def abort(
    app: App, number: str, because: str, by: str, tell: Callable[[str], None] = lambda _text: None
) -> Outcome | Busy:
    """As `switch_to_abort`, then run the itinerary: senders that were paused are told to resume.

    A call that was left without an answer is waited for first; `tell` is given a sentence about that.
    """
    await settle_open_call(app, await _find_live(app, number), tell)
    position = await switch_to_abort(app, number, because, by)
    outcome = await app.runner.run_one(position.migration_id)
    await app.ledger.waves.finish()  # it may have been the last number of its wave, which then stands open for nobody
    return outcome


async def retry_number(app: App, number: str, because: str, by: str) -> Position:
    """Make a blocked, waiting or held number due now."""
    position = await _find_live(app, number)
    if position.status in (Status.READY, Status.RUNNING):
        raise OperationRefused(f"{position.ref} is {position.status}; there is nothing to resolve")
    read = None
    if not position.sides_read:
        side, read = await _sides_now(app, position)
        because = f"{because}; both sides read: {side}"
    waits_for_code = position.runbook == NO_CODE_PAGE
    request_step = REQUESTED_BY.get(position.next_step or "") if waits_for_code else None
    if request_step is not None and await app.queries.records.open_attempt(position.migration_id) is None:
        # None of the codes that were requested will arrive any more; the operator allows another request.
        await app.ledger.operator_changes.reopen(position.migration_id, request_step, because, by, read=read)
    else:
        await app.ledger.operator_changes.retry(position.migration_id, because, by, read=read)
    return await app.queries.positions.get(position.migration_id)


async def _sides_now(app: App, position: Position) -> tuple[Side, Service]:
    """Both sides, read anew. Raises OperationRefused where one cannot be read."""
    try:
        return await sides_and_service(app, position)
    except (CredentialsRefused, Transient, Rejected) as exc:
        raise OperationRefused(f"{position.ref} was not read since the restore, and cannot be read now: {exc}") from exc


async def recover_forward(app: App, number: str, because: str, by: str) -> Position:
    """Bring a number that is on neither side up on Cloud, also after its migration has ended."""
    position = await app.queries.positions.find(number)
    if position.ended_at is None:
        return await switch_itinerary(app, number, FORWARD_RECOVERY.name, because, by)
    return await begin_new_migration(app, position, FORWARD_RECOVERY, because, Side.UNKNOWN, by)


async def take_over(app: App, number: str, because: str, by: str) -> Position:
    """Go on with a number that somebody else has registered on Cloud: senders, smoke message, profile.

    Its PIN is theirs; ours is destroyed. Raises OperationRefused where nothing shows such a move.
    """
    position = await _find_live(app, number)
    if position.runbook != FOREIGN_PAGE:
        raise OperationRefused(f"{position.ref} is not blocked because somebody else moved it; nothing was changed")
    changes = app.ledger.operator_changes
    await changes.take_over(position.migration_id, position.number_id, AFTER_CROSSING, because, by)
    await app.secret_store.shred(f"number:{position.number_id}", "pin")
    return await app.queries.positions.get(position.migration_id)


async def record_onprem_off(app: App, number: str, because: str, by: str) -> Position:
    """Record a person's statement that the On-Premises client is off and stays off."""
    position = await _find_live(app, number)
    await app.ledger.operator_inputs.record_onprem_off(position.number_id, by, because)
    return await _make_due(app, position, because, by)


async def hand_in_pin(app: App, number: str, pin: SecretStr, because: str, by: str) -> Position:
    """Store the PIN that a person knows."""
    position = await _find_live(app, number)
    pin = SecretStr(plain_figure(pin.get_secret_value()))
    if PIN_PATTERN.fullmatch(pin.get_secret_value()) is None:
        raise OperationRefused("a PIN is six digits; nothing was stored")
    owner = f"number:{position.number_id}"
    sealed = app.secret_store.seal(owner, "pin", pin)
    because = Scrubber([pin], ids=ids_of(because)).text(because)
    provenance = PinProvenance.HANDED_IN
    await app.ledger.operator_inputs.record_pin(position.number_id, owner, sealed, provenance, by, because)
    return await _make_due(app, position, because, by)


async def record_two_step_off(app: App, number: str, because: str, by: str) -> Position:
    """Record a person's statement that two-step verification is off; the stored PIN is destroyed."""
    position = await _find_live(app, number)
    owner = f"number:{position.number_id}"
    provenance = PinProvenance.TWO_STEP_OFF_STATED
    await app.ledger.operator_inputs.record_pin(position.number_id, owner, None, provenance, by, because)
    await app.secret_store.shred(owner, "pin")
    return await _make_due(app, position, because, by)


async def state_terms(app: App, number: str, because: str, by: str) -> Position:
    """Record a person's statement that the business of the number's customer has accepted Meta's Terms."""
    position = await _find_live(app, number)
    await app.ledger.terms.state(position.number_id, because, by)
    return await _make_due(app, position, because, by)


async def record_senders_resumed(app: App, number: str, because: str, by: str) -> Position:
    """Record a person's statement that the number's senders go on; for a hook that cannot confirm it any more."""
    position = await app.queries.positions.find(number)
    await app.ledger.senders.state_resumed(position.number_id, because, by)
    return await app.queries.positions.get(position.migration_id)


async def spend_reserve(app: App, number: str, because: str, by: str) -> Position:
    """Let this migration use the last three `register` or `deregister` calls of 72 h."""
    position = await _find_live(app, number)
    await app.ledger.operator_changes.spend_reserve(position.migration_id, by, because)
    return await app.queries.positions.get(position.migration_id)


async def dispose(app: App, number: str, disposition: str, because: str, by: str) -> Position:
    """End a number without moving it. Raises Conflict once it has crossed."""
    try:
        end = Disposition(disposition.lower())
    except ValueError as exc:
        known = ", ".join(item.value for item in Disposition)
        raise OperationRefused(f"there is no disposition {disposition}; there are {known}") from exc
    position = await _find_live(app, number)
    if position.crossed_at is not None:
        raise Conflict(f"{position.ref} is past its point of no return; nothing was changed")
    evidence: Mapping[str, Any] = {"side": position.side, "step": position.next_step, "reason": position.reason}
    await app.ledger.migrations.dispose(position.number_id, end, because, evidence, by)
    await app.ledger.waves.finish()
    return await app.queries.positions.get(position.migration_id)


async def begin_new_migration(
    app: App, position: Position, itinerary: Itinerary, because: str, side: Side, by: str
) -> Position:
    """Begin another migration of a number whose last one has ended. The new one is in no wave."""
    now = await app.queries.now()
    read = [Sighting(side, now, now)] if side is not Side.UNKNOWN else []
    known = follow(service_of_row(position), read, in_use=position.instance is not None)
    migration_id = await app.ledger.migrations.start(
        position.number_id,
        itinerary=itinerary.name,
        first=itinerary.first,
        because=because,
        side=side,
        service=replace(known, outage_at_least=None, outage_seconds=None),
        in_wave=False,
        after=position.migration_id,
        by=by,
    )
    return await app.queries.positions.get(migration_id)


async def _make_due(app: App, position: Position, because: str, by: str) -> Position:
    if position.status in (Status.BLOCKED, Status.WAITING, Status.HELD):
        await app.ledger.operator_changes.retry(position.migration_id, because, by)
    return await app.queries.positions.get(position.migration_id)


async def _find_live(app: App, number: str) -> Position:
    position = await app.queries.positions.find(number)
    if position.ended_at is not None:
        raise OperationRefused(f"{position.ref} is {position.status}; nothing was changed")
    return position
