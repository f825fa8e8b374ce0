"""One step of one number: take it, read it, let `step_decider` decide, record, give it up.

The barrier stands here: what nobody expected in one number's run blocks that number alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from migration.clock import Clock
from migration.engine.answer_writer import AnswerWriter
from migration.engine.barrier import (
    INTERNAL_ERROR_PAGE,
    concerns_every_number,
    log_unexpected,
    reason_of,
)
from migration.engine.call_admission import CallAdmission
from migration.engine.itineraries import ITINERARIES, itinerary_named
from migration.engine.kept_numbers import Continued, KeptNumbers
from migration.engine.places import UNLIMITED, KnownPlace, Place, place_of, serves_still, under_lease
from migration.engine.recorder import SecretKeeper, StepRecorder
from migration.engine.reopening import bounded
from migration.engine.step_decider import StepDecider, check_not_stopped
from migration.engine.step_run import READING, StepRun
from migration.engine.transition_log import log_position
from migration.engine.write_lag import WriteLag
from migration.errors import Stopped
from migration.runtime.stop_request import StopRequest
from migration.steps.number import Number
from migration.steps.outcomes import (
    Blocked,
    Evidence,
    Outcome,
    Waiting,
)
from state.database import is_database_error
from state.enums import Status
from state.errors import LeaseLost, Outdated, StateError, TooEarly
from state.ledger.ledger import Ledger
from state.ledger.moves import Move, as_one
from state.queries.due import Crossing
from state.queries.queries import Queries
from state.rows import Lease, Position

# How often a number is read again because something arrived for it while it was decided about.
READS_BEFORE_A_LATER_TRY = 5


class NumberSource(Protocol):
    """Makes the number that a step sees, with clients bound to it; opens no connection."""

    async def load(self, position: Position, now: datetime) -> Number: ...

    def again(self, number: Number, position: Position, now: datetime) -> Number | None:
        """The number at its new position, with what was read of it before; None where it has to be loaded anew."""


class StepExecutor:
    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        numbers: NumberSource,
        secrets: SecretKeeper,
        clock: Clock,
        holder: str,
        read_sides: Callable[[Number], Awaitable[Evidence]],
        stop: StopRequest,
        admission: CallAdmission,
        kept: KeptNumbers,
        codes_per_operator: int = 0,
    ) -> None:
        self._ledger = ledger
        self._queries = queries
        self._numbers = numbers
        self._clock = clock
        self._holder = holder
        self._stop = stop
        self._kept = kept
        self.write_lag = WriteLag(clock.boot_time)
        self._recorder = StepRecorder(ledger.moves, secrets, kept, self.write_lag)
        self._writer = AnswerWriter(self._recorder, queries, clock)
        self._decider = StepDecider(
            ledger,
            queries,
            secrets,
            clock,
            read_sides,
            stop,
            admission,
            self._writer,
            self.write_lag,
            codes_per_operator,
        )
        self._ahead = timedelta()  # of our clock: the database's, when it was last read

    def now(self) -> datetime:
        """The database's time, which waits are measured by: our own clock may be wrong, and may be set."""
        return self._clock.now() + self._ahead

    async def crossing_now(self) -> Crossing:
        """What all workers of this database have across."""
        return await self._queries.due.crossing_now()

    async def look(self, migration_id: int) -> KnownPlace:
        """Where the number is before its next step.

        An unknown number, a lost database, or a row that this release does not understand is the step's to report:
        only there one number's surprise is a block of that number.
        """
        kept = self._kept.look_at(migration_id)
        if kept is not None and kept.last_state is not None:
            return KnownPlace(place_of(kept.last_state, kept.next_step), serves_still(kept.last_state))
        try:
            state = await self._queries.positions.get(migration_id)
            return KnownPlace(place_of(state, state.next_step or ""), serves_still(state), state)
        except Exception:  # noqa: BLE001 - the step meets it again, behind its barrier
            return KnownPlace(Place.BEFORE_GATE, serves_still=False)

    async def settle(self, migration_id: int) -> Outcome | None:
        """Find out what became of a call without an answer, and make no call. None where no call is open.

        Raises what `run_next` raises, but no ConcurrencyLimitReached.
        """
        if await self._queries.records.open_attempt(migration_id) is None:
            return None
        return await self.run_next(migration_id, settle_only=True)

    async def run_next(
        self,
        migration_id: int,
        seen: Position | None = None,
        *,
        settle_only: bool = False,
        goes_on: bool = False,
    ) -> Outcome:
        """Take the next step of one number as far as it goes now. A wait that is not over is answered again.

        `seen`: its row, where it was read just now; it is not read again where nobody has changed it since.
        `goes_on`: the caller takes the next step at once, so this one's write takes the number for it; whoever does
        not go on after all calls `let_go`.

        Raises LeaseLost while another worker holds the number, ConcurrencyLimitReached while its wave moves as many
        numbers as it may, Conflict when it has ended or is blocked, NotFound. Safe to call again after any kill.
        Raises Stopped where this worker was asked to stop and the number has not crossed.
        """
        continued = None if settle_only else self._kept.go_on(migration_id)
        lease = continued.lease if continued is not None else None
        try:
            if self._stop.requested and not settle_only:
                check_not_stopped(self._stop, await self._queries.positions.get(migration_id))
            if continued is None:
                exempt = ITINERARIES if settle_only else UNLIMITED
                began = self._clock.boot_time()
                lease = await self._ledger.leases.acquire(migration_id, self._holder, READING, exempt=exempt)
                self._ahead = lease.now - self._clock.now()
                continued = Continued(lease, seen or self._kept.row(migration_id), (), began)
            elif continued.state is None:
                continued = replace(continued, state=seen)
            return await self._run_leased(continued, settle_only=settle_only, goes_on=goes_on)
        except TooEarly as exc:
            self._ahead = exc.now - self._clock.now()
            return Waiting(exc.until, exc.on, exc.reason)
        except StateError:
            raise
        except Stopped:
            if lease is not None:
                await self._ledger.leases.give_back(lease)
            raise
        except Exception as exc:
            if concerns_every_number(exc):
                raise
            return await self._block(migration_id, lease, exc, continued.before if continued is not None else ())

    async def let_go(self, migration_id: int) -> None:
        """Give the number up, where its last write took it for a step that is not taken now."""
        left = self._kept.go_on(migration_id)
        if left is None:
            return
        try:
            if left.before:
                await self._ledger.moves.record(left.lease, as_one(left.before))
            else:
                await self._ledger.leases.give_back(left.lease)
            self._kept.given_up(left.lease)
        except Exception as exc:
            # Else somebody has changed the number, or the lease ends by itself: what was read is read again.
            if not is_database_error(exc) and not isinstance(exc, StateError):
                raise

    async def next_step(self, migration_id: int) -> str | None:
        """What a run takes next, which may not be written yet; None where the number has ended. Raises NotFound."""
        kept = self._kept.look_at(migration_id)
        if kept is not None and kept.lease is not None:
            return kept.next_step
        return (await self._queries.positions.get(migration_id)).next_step

    async def _run_leased(self, continued: Continued, *, settle_only: bool, goes_on: bool) -> Outcome:
        """Read the number, decide, record. Where something arrived for it meanwhile, read it again and decide anew."""
        lease = continued.lease
        for _ in range(READS_BEFORE_A_LATER_TRY):
            run = await self._load(continued)
            continued = replace(continued, state=None, before=())
            run.settle_only = settle_only
            with suppress(Outdated):
                decision = await bounded(self._queries, run, await self._decider.decide(run))
                run.goes_on = goes_on and not self._stop.requested
                return await self._writer.record(run, decision)
        raise LeaseLost(f"migration {lease.migration_id} is being changed all the time; try again")

    async def _load(self, continued: Continued) -> StepRun:
        lease, began_at = continued.lease, self._clock.boot_time()
        # The row first: whatever arrives after it raises its version, and the write that names this one is refused.
        position = under_lease(continued.state, lease) or await self._queries.positions.get(lease.migration_id)
        itinerary = itinerary_named(position.itinerary)
        entry, lease = itinerary.at(position.next_step or ""), replace(lease, version=position.version)
        kept = self._kept.take(lease, position.version)
        number, attempt = self._numbers.again(kept, position, lease.now) if kept is not None else None, None
        if number is None:
            number = await self._numbers.load(position, lease.now)
            attempt = await self._queries.records.open_attempt(lease.migration_id)
        run = StepRun(itinerary, entry, lease, number, attempt, leased_at=continued.leased_at, began_at=began_at)
        run.before = continued.before
        run.number.service.doubt = run.doubt()
        return run

    async def _block(
        self, migration_id: int, lease: Lease | None, exc: Exception, before: Sequence[Move] = ()
    ) -> Outcome:
        """The barrier: what nobody expected in one number's run blocks that number, and never reaches another.

        An open attempt stays open. The error's own text may hold anything, so only its type and place are recorded.
        """
        position = await self._queries.positions.get(migration_id)
        if lease is not None and before and position.next_step == before[0].step:
            with suppress(StateError):  # else it is looked at from there
                written = replace(as_one(before), status=Status.RUNNING, keep_lease=True)
                await self._ledger.moves.record(lease, written)
                position = await self._queries.positions.get(migration_id)
        reason = reason_of(exc, position.next_step or "no step")
        log_unexpected(position.ref, reason, exc)
        blocked = Blocked(reason, INTERNAL_ERROR_PAGE)
        if lease is None:
            return blocked  # without a lease nothing may be written; the next run meets the same
        for _ in range(READS_BEFORE_A_LATER_TRY):
            with suppress(Outdated):
                await self._recorder.block(replace(lease, version=position.version), position.next_step, blocked)
                log_position(position, "blocked", reason, step=position.next_step, holder=lease.holder)
                return blocked
            position = await self._queries.positions.get(lease.migration_id)
        raise LeaseLost(f"migration {lease.migration_id} is being changed all the time; try again")
