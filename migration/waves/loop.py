"""Runs due numbers, up to a concurrency limit, until no more become due soon.

Does not depend on Prefect: it calls `run_one`, which a flow wraps in a Prefect task and `cutover run` does not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from migration.app import App
from migration.engine.dead_workers import end_leases_of_dead_workers
from migration.engine.itineraries import FORWARD
from migration.engine.runner import Busy
from migration.home.record_anchor import EVERY_S
from migration.runtime.log import get_logger
from migration.steps.outcomes import Advanced, Held
from migration.waves.anchoring import Anchoring
from migration.waves.held import still_held
from migration.waves.notices import PeopleTeller
from migration.waves.proofs import ProofKeeper
from migration.waves.senders import SenderKeeper, keep_senders_informed
from migration.waves.watch import Watch
from state.enums import WaveState
from state.errors import Conflict, DatabaseAway, DatabaseBusy
from state.ledger.wave_events import HALT_RULE
from state.queries.due import Due, WavePart

SWEEP_EVERY = timedelta(seconds=2)
MAX_NUMBERS_PER_RUN = 500  # a Prefect server drops task runs beyond that: docs/decisions.md
MAX_DUE = 10_000
# Numbers that are due are asked for in each round where so few are left, and else every so many seconds.
ASKED_BELOW, ASKED_EVERY_S = 20, 0.5
# So often it is asked whether a wave's halt rule is broken by what other workers have moved.
HALTS_EVERY_S = 0.5
# How long the loop waits for a database that is away: a failover takes a minute, a person who restarts it ten.
DATABASE_BACK_WITHIN = timedelta(minutes=30)
DATABASE_TRIED_EVERY_S = 1.0
CHOSEN_BY_IMPORT = tuple(itinerary.name.value for itinerary in FORWARD)
RunOne = Callable[[int], Awaitable[object]]

_LOG = get_logger("waves")


@dataclass(frozen=True, slots=True)
class NumberSelection:
    """The numbers that a loop is responsible for: all, those of a wave or a part of it, or a set of migration ids."""

    wave: str | None = None
    part: int = 0
    parts: int = 1
    only: Collection[int] | None = None
    begun: bool = False  # only those that somebody has asked to move

    @property
    def wave_part(self) -> WavePart | None:
        return WavePart(self.wave, self.part, self.parts) if self.wave is not None else None

    def includes(self, migration_id: int) -> bool:
        """Whether `only` allows this number; the wave is a condition of the query."""
        return self.only is None or migration_id in self.only


async def numbers_to_sweep(app: App, *, dry_run: bool = False) -> tuple[int, ...]:
    """Migration ids of the numbers that are due, that somebody has begun to move, and that nobody moves now.

    Numbers that nobody has begun are left out: a worker that only runs must not move a fleet that was just imported.
    """
    if not dry_run:
        await end_leases_of_dead_workers(app.ledger, app.queries, app.is_gone)
    due = await app.queries.due.due_now(begun=CHOSEN_BY_IMPORT)
    return due[:MAX_NUMBERS_PER_RUN]


class WaveLoop:
    """`patience`: the loop ends when no number becomes due within this time.

    `gate_patience`: how long the loop stays for a wave whose numbers are held at the gate, so that a release takes
    effect within seconds. `stays`: the loop ends only when the process is asked to stop. When it is, no further number
    is begun, and the loop ends when those that are past their gate have come to their end, to a person or to a longer
    wait.
    """

    def __init__(
        self,
        app: App,
        run_one: RunOne,
        *,
        concurrency: int,
        patience: timedelta,
        gate_patience: timedelta = timedelta(),
        stays: bool = False,
    ) -> None:
        self._app = app
        self._run_one = run_one
        self._concurrency = concurrency
        self._patience = patience
        self._gate_patience = gate_patience
        self._stays = stays
        self._running: dict[int, asyncio.Future[object]] = {}
        self._finished = 0  # how many runs of numbers have ended that were not rejected
        self._finished_at_start: dict[int, int] = {}  # migration id -> `_finished` when the number was last begun
        self.rejected: dict[int, str] = {}  # migration id -> why other numbers keep it from running now
        self._idle_since: datetime | None = None
        self._due: Sequence[Due] = ()  # as last asked, without those that were begun since
        self._asked_at = 0.0  # on the boot-time clock
        self._busy_since: float | None = None  # on the same clock
        self._standing = 0  # numbers that took no place in the last round, because they wait for Meta
        self._senders = SenderKeeper(app)
        self._watch = Watch(app)
        self._people = PeopleTeller(app)
        self._proofs = ProofKeeper(app)
        self._anchoring = Anchoring(app, EVERY_S)
        self._leases_at = self._halts_at = app.clock.boot_time()

    async def run(self, selection: NumberSelection, tick: Callable[[], Awaitable[None]] | None = None) -> None:
        """Run until nothing runs and nothing selected becomes due within `patience`. `tick` is called in each round.

        An error that every number would meet (a wrong key) ends the loop after the other numbers have stopped. A
        database that is away or locked does not: the loop goes on when it is back, and ends with DatabaseAway or
        DatabaseBusy where it is not back within DATABASE_BACK_WITHIN.
        """
        try:
            while not self._app.stop.requested:
                try:
                    if await self._round(selection, tick):
                        return
                    self._busy_since = None
                except DatabaseAway as exc:
                    await self._wait_for_database(exc)
                except DatabaseBusy as exc:
                    await self._wait_for_lock(exc)
        finally:
            await self._finish()

    async def _finish(self) -> None:
        await self._wait_for_running()
        with suppress(DatabaseBusy):  # the next run or sweep tells them, and finishes the waves
            await self._watch.finish()
            await self._senders.finish()
            await self._proofs.finish()
            await self._anchoring.finish()
            await keep_senders_informed(self._app)  # also of those whose number ended just now
            await self._app.ledger.waves.finish()
            await self._people.finish()

    async def _round(self, selection: NumberSelection, tick: Callable[[], Awaitable[None]] | None) -> bool:
        """Begin what is due, and wait for what runs. Returns whether the loop is over."""
        try:
            await self._halt_waves()  # first: what the last number did may forbid the next one
            await self._end_leases()
        except DatabaseAway:
            raise
        except DatabaseBusy:
            pass  # the gate reads the halt rule itself; the next round writes it down
        self._senders.begin_pass()
        self._anchoring.begin_pass()
        self._watch.begin_pass(selection.wave_part, selection.includes)
        self._people.begin_pass()
        self._proofs.begin_pass()
        await self._begin_due(selection)
        if tick is not None:
            await tick()
        if await self._is_over(selection):
            return True
        await self._wait()
        return False

    async def _wait_for_database(self, away: DatabaseAway) -> None:
        """Until it answers, or the process is asked to stop. Raises `away` where it takes too long."""
        _LOG.error("%s; no number is begun until it does; see `cutover runbook database-down`", away)
        await self._wait_for_running()
        clock = self._app.clock
        end = clock.boot_time() + DATABASE_BACK_WITHIN.total_seconds()
        while not self._app.stop.requested:
            try:
                # Nothing of ours runs now. What stopped inside a call may be dark, and need not wait for its lease.
                await self._app.ledger.leases.end_all_of(self._app.holder)
            except DatabaseAway:
                if clock.boot_time() >= end:
                    raise away from None
                await clock.sleep(DATABASE_TRIED_EVERY_S)
            else:
                _LOG.info("the database answers again; numbers go on")
                return

    async def _wait_for_lock(self, busy: DatabaseBusy) -> None:
        """Somebody keeps what a round reads: numbers that run go on. Raises `busy` where it takes too long."""
        now = self._app.clock.boot_time()
        if self._busy_since is None:
            _LOG.warning("%s: no number is begun until then; see `cutover runbook database-down`", busy)
            self._busy_since = now
        if now - self._busy_since >= DATABASE_BACK_WITHIN.total_seconds():
            raise busy
        await self._app.clock.sleep(DATABASE_TRIED_EVERY_S)

    async def _is_over(self, selection: NumberSelection) -> bool:
        if self._running or self._stays:
            return False
        return not await self._more_soon(selection) and not await self._held(selection)

    async def _begin_due(self, selection: NumberSelection) -> None:
        standing = min(self._app.runner.waits_for_meta, self._concurrency)  # see state/ledger/concurrency_limit.py
        if standing > self._standing:
            self.rejected.clear()  # there may be a place for them now
        self._standing = standing
        slots = self._concurrency - len(self._running) + standing
        if slots <= 0:
            return
        left: list[Due] = []
        for due in await self._due_now(selection):
            migration_id, was_held = due
            if slots <= 0 or not selection.includes(migration_id) or migration_id in self.rejected:
                left.append(due)
                continue
            if migration_id in self._running:
                continue
            # A number whose gate is as closed as it was written down costs no run: no lease, no event, no task.
            if was_held and await still_held(self._app, migration_id) is not None:
                continue
            self._running[migration_id] = asyncio.ensure_future(self._run_one(migration_id))
            self._finished_at_start[migration_id] = self._finished
            slots -= 1
        self._due = left

    async def _due_now(self, selection: NumberSelection) -> Sequence[Due]:
        """Of a wave, what the last round has left of a list that is not older than ASKED_EVERY_S.

        There is a round with each number that ends, and to find the due ones of 10,000 costs a fifth of a number.
        """
        now = self._app.clock.boot_time()
        if len(self._due) < ASKED_BELOW or now >= self._asked_at + ASKED_EVERY_S:
            begun = CHOSEN_BY_IMPORT if selection.begun else ()
            self._due = await self._app.queries.due.due_and_held(selection.wave_part, limit=MAX_DUE, begun=begun)
            self._asked_at = now
        return self._due

    async def _wait(self) -> None:
        """Wait until a number finishes or the next round is due."""
        if self._running:
            await asyncio.wait(
                self._running.values(), timeout=SWEEP_EVERY.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await self._app.clock.sleep(SWEEP_EVERY.total_seconds() / 2)
        self._note_outcomes(self._take_finished())

    def _take_finished(self) -> dict[int, object]:
        """The outcomes of the numbers that have finished, by migration id. Raises the error of one that failed."""
        finished = {migration_id: task for migration_id, task in self._running.items() if task.done()}
        for migration_id in finished:
            del self._running[migration_id]
        return {migration_id: task.result() for migration_id, task in finished.items()}

    def _note_outcomes(self, outcomes: dict[int, object]) -> None:
        """Do not retry a rejected number until another one finishes, unless one finished after we started it.

        A number is rejected when its wave already moves as many numbers as it may.
        """
        busy = {migration_id: outcome.reason for migration_id, outcome in outcomes.items() if isinstance(outcome, Busy)}
        if len(busy) < len(outcomes):
            self._finished += 1
        if not all(isinstance(outcome, Advanced) for outcome in outcomes.values()):
            self._halts_at = self._app.clock.boot_time()  # what one of them met may have broken a rule
        if not outcomes or len(busy) < len(outcomes):
            self.rejected.clear()
        self.rejected |= {
            migration_id: reason
            for migration_id, reason in busy.items()
            if self._finished_at_start[migration_id] == self._finished
        }
        if any(not isinstance(outcome, Busy | Held) for outcome in outcomes.values()):
            self._idle_since = None

    async def _more_soon(self, selection: NumberSelection) -> bool:
        now = await self._app.queries.now()
        soon = await self._app.queries.due.due_by(now + self._patience, selection.wave_part)
        # Numbers selected by id wait for a wave that another worker moves; that worker will run them.
        excluded = self.rejected if selection.only is not None else ()
        if any(selection.includes(migration_id) and migration_id not in excluded for migration_id in soon):
            return True
        # Beside another worker, as `serve` has one, a run of a wave ends with the wave and not before it.
        part = selection.wave_part
        return part is not None and await self._app.queries.due.moved_by_another(part, self._app.holder)

    async def _held(self, selection: NumberSelection) -> bool:
        """Whether to stay for a release: a number is held, the wave has not ended, `gate_patience` has not passed."""
        if selection.wave_part is None or not self._gate_patience:
            return False
        now, row = await self._app.queries.now(), await self._app.queries.waves.get(selection.wave_part.wave)
        self._idle_since = self._idle_since or now
        if now - self._idle_since >= self._gate_patience or (row.window_end is not None and row.window_end <= now):
            return False
        if row.state in (WaveState.STOPPED, WaveState.DONE):
            return False
        return bool(await self._app.queries.due.held_at_gate(selection.wave_part))

    async def _halt_waves(self) -> None:
        """Halt every running wave whose halt rule is broken, whichever worker moved its numbers.

        The gate itself reads the rule too, so no number crosses between the failure and this call. A number that has
        ended as it should breaks no rule.
        """
        now = self._app.clock.boot_time()
        if now < self._halts_at:
            return
        self._halts_at = now + HALTS_EVERY_S
        for wave, reason in await self._app.queries.waves.to_halt():
            with suppress(Conflict):  # a person or another worker has changed the wave first
                await self._app.ledger.waves.set_state(
                    wave, WaveState.HALTED, allowed=[WaveState.RUNNING], because=reason, by=HALT_RULE
                )

    async def _end_leases(self) -> None:
        """Of dead workers, every SWEEP_EVERY: a round begins with each number that ends."""
        now = self._app.clock.boot_time()
        if now >= self._leases_at:
            self._leases_at = now + SWEEP_EVERY.total_seconds()
            await end_leases_of_dead_workers(self._app.ledger, self._app.queries, self._app.is_gone)

    async def _wait_for_running(self) -> None:
        while self._running:
            self._senders.begin_pass()
            self._people.begin_pass()
            self._proofs.begin_pass()
            done, _ = await asyncio.wait(self._running.values(), timeout=SWEEP_EVERY.total_seconds())
            for migration_id in [number for number, task in self._running.items() if task in done]:
                task = self._running.pop(migration_id)
                if not task.cancelled():
                    task.exception()  # noted, so that nobody complains that it was not
