"""Runs one number as far as it can go now. No Prefect in here."""

from dataclasses import dataclass

from migration.clock import Clock
from migration.engine.crossing_room import CrossingRoom
from migration.engine.executor import StepExecutor
from migration.engine.places import Place
from migration.errors import Stopped
from migration.runtime.stop_request import StopRequest
from migration.runtime.waiting import unless_stopped
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Reopen, Switch, Waiting
from state.database import is_database_error, write_first
from state.enums import Party
from state.errors import NotFound, StateError
from state.ledger.concurrency_limit import SHORT_WAIT
from state.rows import Position


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker holds the number: nothing to do here."""

    reason: str


class NumberRunner:
    def __init__(self, executor: StepExecutor, clock: Clock, stop: StopRequest) -> None:
        self._executor = executor
        self._clock = clock
        self._stop = stop
        self._room = CrossingRoom(clock.boot_time, stop, executor.crossing_now, executor.write_lag.standing)
        self._wait_for_meta: set[int] = set()

    @property
    def waits_for_meta(self) -> int:
        """How many numbers past their gate only wait for Meta now: others may be begun in their stead."""
        return len(self._wait_for_meta)

    async def run_step(
        self, migration_id: int, seen: Position | None = None, *, goes_on: bool = False
    ) -> Outcome | Busy:
        """One step. `seen`: the number's row, where it was read just now.

        `goes_on`: the caller takes the next step at once, or calls `let_go`.
        """
        try:
            return await self._executor.run_next(migration_id, seen, goes_on=goes_on)
        except Stopped as exc:
            return Busy(str(exc))
        except Exception as exc:
            if is_database_error(exc):
                # One statement that was not taken ends no other number's run; whoever runs many asks the database next.
                return Busy(f"the database did not take a statement ({type(exc).__name__}); it is tried again")
            if isinstance(exc, StateError) and not isinstance(exc, NotFound):
                return Busy(str(exc))  # another worker holds it, or it is not as it was read
            raise

    async def next_step(self, migration_id: int) -> str | None:
        """The step that a run takes next; None where the number has ended. Raises NotFound."""
        return await self._executor.next_step(migration_id)

    async def settle(self, migration_id: int) -> Outcome | None:
        """Find out what an open call did, without a new call. None where none is open. Raises LeaseLost, Conflict."""
        return await self._executor.settle(migration_id)

    async def run_one(self, migration_id: int) -> Outcome | Busy:
        """Take steps until one does not advance. Safe to run again at any time, from anywhere."""
        try:
            while True:
                outcome = await self._step_in_turn(migration_id)
                if self.is_final(outcome):
                    return outcome
                if isinstance(outcome, Waiting) and outcome.on in (Party.US, Party.META):
                    self._rest(migration_id, outcome.on)
                try:
                    await self.wait(outcome)
                finally:
                    self._wait_for_meta.discard(migration_id)
        finally:
            self._room.leave(migration_id)
            await self.let_go(migration_id)

    def _rest(self, migration_id: int, on: Party) -> None:
        """Its place is for another one meanwhile: else the places would be kept by numbers that let time pass."""
        if on is Party.META and self._room.is_crossing(migration_id):
            self._wait_for_meta.add(migration_id)
        self._room.rest(migration_id, soon_back=on is Party.US)

    async def let_go(self, migration_id: int) -> None:
        """Give up a number whose next step is not taken now."""
        await self._executor.let_go(migration_id)

    async def _step_in_turn(self, migration_id: int) -> Outcome | Busy:
        """One step, once those that must not wait leave room for it."""
        await self._room.measure()
        seen = None
        if not self._room.is_crossing(migration_id):
            look = await self._executor.look(migration_id)
            seen = look.seen
            match look.place:
                case Place.BEFORE_GATE:
                    write_first(False)
                    async with self._room.other_step(migration_id) as waited:
                        return await self._steps_before_gate(migration_id, None if waited else seen)
                case Place.AT_GATE:
                    seen = None if await self._room.enter(migration_id) else seen
                case Place.PAST_GATE if self._room.is_resting(migration_id) and look.serves_still:
                    seen = None if await self._room.enter(migration_id, first=True) else seen
                case Place.PAST_GATE:
                    self._room.let_in(migration_id)
        write_first(True)
        return await self.run_step(migration_id, seen, goes_on=True)

    async def _steps_before_gate(self, migration_id: int, seen: Position | None) -> Outcome | Busy:
        """Steps as long as they advance, the number does not stand at its gate, and there is room for it."""
        while True:
            outcome = await self.run_step(migration_id, seen, goes_on=True)
            if not isinstance(outcome, Advanced) or outcome.ended:
                return outcome
            await self._room.measure()
            if self._room.is_crowded:
                await self.let_go(migration_id)
                return outcome
            look = await self._executor.look(migration_id)
            if look.place is not Place.BEFORE_GATE:
                return outcome
            seen = look.seen

    def is_final(self, outcome: Outcome | Busy) -> bool:
        """Whether a run ends here: at the end, or at a wait that is longer than a worker sleeps."""
        match outcome:
            case Advanced(ended=ended):
                return ended
            case Reopen() | Switch():
                return False
            case Waiting(until=until):
                return until - self._executor.now() > SHORT_WAIT
            case _:
                return True

    async def wait(self, outcome: Outcome | Busy) -> None:
        """Sleep out a short wait. A request to stop ends it; the next step says whether the number goes on."""
        if not isinstance(outcome, Waiting):
            return
        sleep = self._clock.sleep(max((outcome.until - self._executor.now()).total_seconds(), 0.05))
        if self._stop.requested:
            await sleep
        else:
            await unless_stopped(sleep, self._stop)


def sentence(outcome: Outcome | Busy) -> str:
    """One line about how the last step ended."""
    match outcome:
        case Advanced(ended=True):
            return "done"
        case Advanced(step):
            return f"{step} done"
        case Waiting(until, on, reason):
            return f"waiting for {on} until {until:%Y-%m-%d %H:%M:%S} UTC: {reason}"
        case Blocked(reason, runbook):
            return f"blocked: {reason} (see {runbook})"
        case Held(reason):
            return f"held: {reason}"
        case Reopen(step, because):
            return f"back to {step}: {because}"
        case Switch(itinerary, because):
            return f"on to {itinerary}: {because}"
        case Busy(reason):
            return f"busy: {reason}"
