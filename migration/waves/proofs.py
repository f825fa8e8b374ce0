"""Brings what webhooks have shown to the numbers that they concern. Done by whatever runs: a wave's loop, a sweep.

No move waits for it: what proves a number stands beside its move.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from migration.app import App
from migration.runtime.log import get_logger
from migration.waves.asked_proofs import send_asked
from migration.waves.background_pass import BackgroundPass
from migration.waves.reported import read_meaning
from state.database import is_database_error
from state.enums import SmokeMode
from state.errors import DatabaseBusy
from state.proof import is_doubted, is_moved, mode_of
from state.rows import Position

BETWEEN_PASSES_S = 1.0
BETWEEN_READS_S = 0.5
BETWEEN_ENDS_S = 10.0
DELIVERED_WITHIN = timedelta(seconds=10)  # Meta aims at a quarter of a second; a phone that is off takes longer
FIRST_WITHIN = timedelta(seconds=3)  # of the first webhook that comes in at all
UNDER_WAY = ("unknown", "accepted", "sent")  # states of a smoke message of which Meta has not said what became of it
ACCEPTED = ("accepted", "sent")  # of these Meta has it: of one whose answer was lost nobody knows that
MOST_IN_A_PASS = 20_000  # webhooks; the rest is for the next one

_LOG = get_logger("webhooks")


async def apply_webhooks(app: App) -> int:
    """One pass; how many webhooks had their effects recorded. Costs one read where there are none."""
    done = 0
    while done < MOST_IN_A_PASS and await app.queries.proofs.any_waiting():
        applied = await app.ledger.proofs.apply(read_meaning)
        for wave in applied.waves:
            _LOG.warning("wave %s is halted by a webhook of Meta; `cutover status %s` says why", wave, wave)
        if not applied.rows:
            break
        done += applied.rows
    return done


async def end_restrictions(app: App) -> None:
    """What Meta has reported with an end is over once that has passed.

    Its numbers count for what their messages have shown, and those that it has kept from going on are tried again. A
    halted wave stays halted until a person releases it.
    """
    if not await app.queries.proofs.any_restriction_over():
        return
    ended, due = await app.ledger.proofs.end_restrictions()
    _LOG.info("restrictions of %d accounts have ended by their own time; %d numbers are tried again", ended, due)


async def await_deliveries(app: App, includes: Callable[[int], bool], wave: str | None, patience: timedelta) -> None:
    """Stay for what webhooks say of messages that were just sent: a few seconds, and only where webhooks are taken."""
    began = app.clock.boot_time()
    while not app.stop.requested:
        board = [one for one in await app.queries.positions.board(wave=wave) if includes(one.migration_id)]
        under_way = {one.profile for one in board if _is_under_way(app, one)}
        heard = [profile for profile in under_way if await app.queries.proofs.any_of_profile(profile)]
        longest = min(patience, DELIVERED_WITHIN if heard else FIRST_WITHIN)
        if not under_way or app.clock.boot_time() - began >= longest.total_seconds():
            return
        await app.clock.sleep(BETWEEN_READS_S)
        with suppress(DatabaseBusy):
            await apply_webhooks(app)


def _is_under_way(app: App, position: Position) -> bool:
    """Meta has its message, since a short time, and has not said what became of it."""
    profile = app.admin.profiles.get(position.profile)
    taken = profile is not None and profile.app_secret is not None and profile.verify_token is not None
    return taken and is_moved(position) and position.smoke_state in UNDER_WAY


async def without_a_proof(app: App, unproved: Sequence[Position]) -> list[Position]:
    """Those of which more could have been seen here: all but the ones whose message Meta has accepted, nothing else.

    Where no webhook has ever come in, no more than that can be seen of an outbound message. Its number is not proved;
    but an exit code that such a home had every night would tell its operators nothing.
    """
    accepted = [position for position in unproved if _is_accepted(position)]
    heard = {name: await app.queries.proofs.any_of_profile(name) for name in {one.profile for one in accepted}}
    return [position for position in unproved if heard.get(position.profile, True) or not _is_accepted(position)]


def _is_accepted(position: Position) -> bool:
    accepted = position.smoke_state in ACCEPTED and position.smoke_error is None
    return accepted and mode_of(position) is SmokeMode.OUTBOUND and not is_doubted(position)


class ProofKeeper:
    """Passes in the background, one at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._pass = BackgroundPass(app.clock, BETWEEN_PASSES_S)
        self._ends_at = float("-inf")  # on the boot-time clock: when ends that have passed are looked for again

    def begin_pass(self) -> None:
        """Does nothing while a pass is under way, or a short time after it."""
        self._pass.begin(self._run)

    async def finish(self) -> None:
        """Wait for the pass under way, and record what has come in since."""
        await self._pass.wait()
        await self._run()

    async def _run(self) -> None:
        try:
            with suppress(DatabaseBusy):  # the next pass does it
                await apply_webhooks(self._app)
                await self._end_restrictions()
                await send_asked(self._app)
        except Exception as exc:
            if is_database_error(exc):
                raise
            _LOG.error("webhooks could not be applied, or messages sent: %s", type(exc).__name__)

    async def _end_restrictions(self) -> None:
        now = self._app.clock.boot_time()
        if now >= self._ends_at:
            self._ends_at = now + BETWEEN_ENDS_S
            await end_restrictions(self._app)
