"""What a pass has decided, or a call was answered, is written down whatever arrives meanwhile.

Before a call, a number that was changed meanwhile is decided about anew; after it, the answer is recorded all the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from migration.clock import Clock
from migration.engine.barrier import log_unwritten
from migration.engine.decisions import Closing, Decision
from migration.engine.recorder import StepRecorder
from migration.engine.step_run import StepRun
from migration.errors import BackupNotKept
from migration.steps.outcomes import Blocked, Outcome
from state.database import is_database_error
from state.enums import AttemptEnd
from state.errors import Outdated
from state.ledger.changes import Change
from state.queries.queries import Queries

# Between two tries to write what a call was answered.
WRITE_AGAIN_S = 1.0

NO_BACKUP_PAGE = "runbooks/no-backup.md"

T = TypeVar("T")


class AnswerWriter:
    def __init__(self, recorder: StepRecorder, queries: Queries, clock: Clock) -> None:
        self._recorder = recorder
        self._queries = queries
        self._clock = clock

    async def record(self, run: StepRun, decision: Decision) -> Outcome:
        """Raises Outdated only before a call: what a call was answered is recorded whatever arrived meanwhile."""
        while True:
            try:
                return await self._until_taken(run, partial(self._recorder.record, run, decision))
            except BackupNotKept as exc:
                # Also where the step is optional: a backup was possible, so nothing irreversible may come before it.
                closing = Closing(run.attempt, AttemptEnd.NOT_DONE) if run.attempt is not None else None
                decision = Decision(Blocked(str(exc), NO_BACKUP_PAGE), closing)
            except Outdated:
                if not run.called:
                    raise
                await self._read_version(run)

    async def _until_taken(self, run: StepRun, write: Callable[[], Awaitable[T]]) -> T:
        """Once the call was made, its answer is written again and again while the database is locked or gone.

        It ends with the lease: the attempt is open then, and whoever takes the number next reads both sides.
        """
        while True:
            try:
                return await write()
            except Exception as exc:
                if not run.called or not is_database_error(exc) or self._clock.boot_time() >= run.write_by:
                    raise
                log_unwritten(run.number.state.ref, run.contract.name, exc)
                await self._clock.sleep(WRITE_AGAIN_S)

    async def note(self, run: StepRun, kind: str, facts: Mapping[str, Any], *changes: Change) -> None:
        """An event of a call that was made; whatever arrived meanwhile does not undo it."""
        while True:
            with suppress(Outdated):
                return await self._until_taken(run, lambda: self._recorder.note_event(run, kind, facts, *changes))
            await self._read_version(run)

    async def _read_version(self, run: StepRun) -> None:
        position = await self._until_taken(run, lambda: self._queries.positions.get(run.lease.migration_id))
        run.lease, run.changed_meanwhile = replace(run.lease, version=position.version), True
