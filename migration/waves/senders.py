"""Keeps the senders of all numbers informed: renews the pauses that are needed, and repeats that senders may go on.

Done by whatever runs: a wave's loop, a sweep, a command that ends a number. docs/hooks.md is the contract with hooks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from migration.app import App
from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.engine.itineraries import known_itinerary
from migration.engine.sender_needs import (
    SenderNeed,
    next_try,
    owes_route,
    renewal_is_due,
    sender_need,
    serving_side,
)
from migration.errors import MigrationError
from migration.runtime.concurrency import gather_all
from migration.runtime.log import get_logger
from migration.steps.traffic import announcement_body, outbox_key
from state.database import is_database_error
from state.enums import Side
from state.errors import StateError
from state.rows import Position

SEND_WITHIN_S = 5.0
AT_ONCE = 20
# A wave's loop begins a round with each number that ends; a renewal is due long before its pause lapses.
BETWEEN_PASSES_S = 1.0

_LOG = get_logger("senders")


async def keep_senders_informed(app: App, number_id: int | None = None) -> None:
    """One pass over all paused senders, or over those of one number. What fails is tried again by a later pass."""
    due = await _due_by_hook(app, number_id)
    await gather_all(_keep_all(app, positions) for positions in due.values())


async def _due_by_hook(app: App, number_id: int | None = None) -> Mapping[str | None, Sequence[Position]]:
    paused = await app.queries.positions.paused()
    now = await app.queries.now() if paused else None
    due: dict[str | None, list[Position]] = {}
    for position in paused:
        if now is not None and number_id in (None, position.number_id) and _is_due(position, now):
            due.setdefault(position.hook, []).append(position)
    return due


async def _keep_all(app: App, positions: Sequence[Position]) -> None:
    """The numbers of one hook."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def keep(position: Position) -> None:
        async with limit:
            await _keep(app, position)

    await gather_all(map(keep, positions))


def _is_due(position: Position, now: datetime) -> bool:
    need = sender_need(position)
    too_early = position.senders_try_at is not None and position.senders_try_at > now
    if too_early or need is SenderNeed.NOTHING:
        return False
    # A renewal that was not confirmed is sent again within seconds: at its hook the earlier pause runs out meanwhile.
    unconfirmed = position.senders_tries > 0 or owes_route(position)
    return need is not SenderNeed.PAUSE or unconfirmed or renewal_is_due(position, now)


async def _keep(app: App, position: Position) -> None:
    try:
        if sender_need(position) is SenderNeed.PAUSE:
            if owes_route(position) and not renewal_is_due(position, await app.queries.now()):
                await _tell(app, position, "switch_route", position.side)
                return
            itinerary = known_itinerary(position.itinerary, position.next_step)
            goes_to = (itinerary.goes_to if itinerary is not None else None) or serving_side(position)
            await _tell(app, position, "pause_sends", goes_to)
            return
        side = serving_side(position)
        if side != (position.route or Side.ON_PREMISES):
            if not await _tell(app, position, "switch_route", side):
                return
            position = await app.queries.positions.get(position.migration_id)
        await _tell(app, position, "resume_sends", side)
    except StateError:
        return  # it was changed by somebody else; the next pass reads it again
    except MigrationError as exc:
        await app.ledger.senders.fail(position, str(exc))
    except Exception as exc:
        if is_database_error(exc):
            raise
        _LOG.error("%s: its senders could not be told: %s", position.ref, type(exc).__name__)
        await app.ledger.senders.fail(position, f"internal error: {type(exc).__name__}")


async def _tell(app: App, position: Position, event: str, goes_to: Side) -> bool:
    """Whether the hook confirmed it. Raises the clients' errors, and BadSetting where the hook is not set up."""
    now = await app.queries.now()
    came_from = Side.ON_PREMISES if goes_to is Side.CLOUD else Side.CLOUD
    body = announcement_body(position, now, event, came_from, goes_to)
    key = outbox_key(body)
    send_by = app.clock.boot_time() + SEND_WITHIN_S
    if not await app.ledger.senders.claim(position, body, key, next_try(position)):
        return False
    hooks = app.clients.hooks(position.hook)
    if hooks is None:
        await app.ledger.senders.fail(position, "the hook that paused them is not named for the customer any more")
        return False
    match await hooks.announce(body, key, send_by=send_by):
        case HookDone():
            confirmed, why = True, ""
        case HookDraining():
            confirmed, why = event == "pause_sends", "the hook accepted it and has not finished"
        case HookVetoed(reason):
            confirmed, why = False, f"the hook vetoed it: {reason}"
    if confirmed:
        await app.ledger.senders.confirm(position, body, key)
    else:
        await app.ledger.senders.fail(position, why)
    return confirmed


class SenderKeeper:
    """Passes in the background, one at a time for each hook: one that hangs holds up no number and no other hook."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._looking: asyncio.Task[None] | None = None
        self._passes: dict[str | None, asyncio.Task[None]] = {}
        self._next = app.clock.boot_time()

    def begin_pass(self) -> None:
        """Does nothing a short time after the last pass has begun, and for a hook whose last one is under way."""
        now = self._app.clock.boot_time()
        if now >= self._next and (self._looking is None or self._looking.done()):
            _note_error(self._looking)
            self._next = now + BETWEEN_PASSES_S
            self._looking = asyncio.ensure_future(self._begin())

    async def _begin(self) -> None:
        for hook, positions in (await _due_by_hook(self._app)).items():
            last = self._passes.get(hook)
            if last is None or last.done():
                _note_error(last)
                self._passes[hook] = asyncio.ensure_future(_keep_all(self._app, positions))

    async def finish(self) -> None:
        """Wait for the passes that are under way."""
        if self._looking is not None:
            await asyncio.wait({self._looking})
        if self._passes:
            await asyncio.wait(self._passes.values())
        for task in (self._looking, *self._passes.values()):
            _note_error(task)


def _note_error(done: "asyncio.Task[None] | None") -> None:
    if done is not None and not done.cancelled() and (exc := done.exception()) is not None:
        _LOG.warning("senders could not be told: %s", type(exc).__name__)
