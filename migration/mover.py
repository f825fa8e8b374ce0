"""Moves numbers: one as far as it can go now, many at once until nothing is due. No Prefect in here."""

from dataclasses import dataclass
from datetime import timedelta

from migration.clock import Clock
from migration.engine import Engine
from migration.step import Advanced, Blocked, Held, Outcome, Reopen, Waiting
from state.errors import Conflict, LeaseLost
from state.queries import Queries

# A wait this short is slept by the mover; a longer one ends its run and is a row until it is over.
SHORT_WAIT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker holds the number: nothing to do here."""

    reason: str


class Mover:
    def __init__(self, engine: Engine, queries: Queries, clock: Clock) -> None:
        self._engine = engine
        self._queries = queries
        self._clock = clock

    async def take(self, migration_id: int) -> Outcome:
        """One step."""
        return await self._engine.take(migration_id)

    async def run_one(self, migration_id: int, *, patience: timedelta = SHORT_WAIT) -> Outcome | Busy:
        """Take steps until one does not advance. Safe to run again at any time, from anywhere."""
        while True:
            try:
                outcome = await self._engine.take(migration_id)
            except (LeaseLost, Conflict) as exc:
                return Busy(str(exc))
            match outcome:
                case Advanced(ended=True):
                    return outcome
                case Advanced() | Reopen():
                    continue
                case Waiting(until=until) if until - self._clock.now() <= patience:
                    await self._clock.sleep(max((until - self._clock.now()).total_seconds(), 0.05))
                case _:
                    return outcome


def sentence(outcome: Outcome | Busy) -> str:
    """One line: what the last step said."""
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
        case Busy(reason):
            return f"busy: {reason}"
