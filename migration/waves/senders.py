"""Keeps the senders of all numbers informed: renews the pauses that are needed, and repeats that senders may go on.

Done by whatever runs: a wave's loop, a sweep, a command that ends a number. docs/hooks.md is the contract with hooks.
"""

import asyncio

from migration.app import App
from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.engine.itineraries import itinerary_named
from migration.engine.sender_needs import SenderNeed, next_try, renewal_is_due, sender_need, serving_side
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

_LOG = get_logger("senders")


async def keep_senders_informed(app: App, number_id: int | None = None) -> None:
    """One pass over all paused senders, or over those of one number. What fails is tried again by a later pass."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def keep(position: Position) -> None:
        async with limit:
            await _keep(app, position)

    paused = await app.queries.positions.paused()
    await gather_all(keep(position) for position in paused if number_id in (None, position.number_id))


async def _keep(app: App, position: Position) -> None:
    now = await app.queries.now()
    need = sender_need(position)
    too_early = position.senders_try_at is not None and position.senders_try_at > now
    if too_early or need is SenderNeed.NOTHING or (need is SenderNeed.PAUSE and not renewal_is_due(position, now)):
        return
    try:
        if need is SenderNeed.PAUSE:
            goes_to = itinerary_named(position.itinerary).goes_to or serving_side(position)
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
    """Passes in the background, one at a time: a hook that hangs holds no number up."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pass: asyncio.Task[None] | None = None

    def begin_pass(self) -> None:
        """Does nothing while the last pass is under way."""
        if self._pass is None or self._pass.done():
            self._note_error()
            self._pass = asyncio.ensure_future(keep_senders_informed(self._app))

    async def finish(self) -> None:
        """Wait for the pass that is under way."""
        if self._pass is not None:
            await asyncio.wait({self._pass})
            self._note_error()

    def _note_error(self) -> None:
        if self._pass is not None and not self._pass.cancelled() and (exc := self._pass.exception()) is not None:
            _LOG.warning("senders could not be told: %s", type(exc).__name__)
