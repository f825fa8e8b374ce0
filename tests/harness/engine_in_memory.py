"""A `StepExecutor` over one number that is held in memory, for unit tests of the engine.

Each call of the ledger, the queries and the clients stands in one journal, in order.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from migration.engine.call_admission import CallAdmission
from migration.engine.executor import StepExecutor
from migration.engine.itineraries import itinerary_named
from migration.engine.kept_numbers import KeptNumbers
from migration.runtime.stop_request import StopRequest
from migration.steps.both_sides import read_sides
from migration.steps.number import Number
from migration.steps.outcomes import Outcome, Waiting
from state.enums import Side, Status
from state.ledger import changes as c
from state.ledger.call_budgets import BudgetKey, CrossingRefused
from state.ledger.ledger import Ledger
from state.queries.queries import Queries
from state.rows import CodeRow, FindingRow, Lease, OpenAttempt, Position
from tests.harness.clock import FakeClock
from tests.harness.fake_clients import FakeCommands, FakeGraph, FakeHooks, FakeOnPrem, FakeSecrets
from tests.harness.hand_made_number import NOW, ON_PREMISE, POSITION, SERVING, make_number
from tests.harness.ledger_in_memory import Journal, MemoryLedger, MemoryQueries, MemorySecretStore, NumberInMemory

HOLDER = "worker-1"
BACKUP = json.dumps({"data": "blob", "password": "p4ss"})
SECRETS = {"pin": "112233", "backup": BACKUP}


class NoLimits:
    """Graph takes every call."""

    async def admit(self, lease: Lease, key: BudgetKey, *, needs: int, lasts: timedelta) -> CrossingRefused | None:
        return None


class EngineInMemory:
    """One number at `step` of `itinerary`, with what its earlier steps found a moment ago.

    `columns` are of its position; `ahead` is how far the database's clock is ahead of this process's.
    """

    def __init__(
        self,
        step: str,
        itinerary: str = "WITH_BACKUP",
        *,
        graph: FakeGraph | None = None,
        onprem: FakeOnPrem | None = None,
        hooks: FakeHooks | None = None,
        commands: FakeCommands | None = None,
        secrets: Mapping[str, str] | None = None,
        code: str | None = None,
        default_smoke_to: str | None = None,
        ahead: timedelta = timedelta(),
        **columns: Any,
    ) -> None:
        self.clock = FakeClock(NOW)
        self.journal = Journal()
        self._ahead = ahead
        self._default_smoke_to = default_smoke_to
        self.graph, self.onprem = graph or FakeGraph(), onprem
        self.hooks, self.commands = hooks, commands or FakeCommands()
        for fake in (self.graph, self.onprem, self.hooks, self.commands):
            if fake is not None:
                fake.script.listeners.append(self.journal.enter)
        position = replace(POSITION, **({"itinerary": itinerary, "next_step": step, "status": Status.READY} | columns))
        self.row = NumberInMemory(position, secrets=dict(secrets or {}))
        if code is not None:
            self.type_code(code)
        self.find_all_inputs()
        self.stop = StopRequest()
        self.ledger = MemoryLedger(self.row, self.now, self.journal)
        self.executor = StepExecutor(
            cast(Ledger, self.ledger),
            cast(Queries, MemoryQueries(self.row, self.now, self.journal)),
            self,
            MemorySecretStore(self.row, self.journal),
            self.clock,
            HOLDER,
            read_sides,
            self.stop,
            CallAdmission(NoLimits(), lambda key: False),
            KeptNumbers(self.clock.boot_time),
        )

    def now(self) -> datetime:
        """The database's time."""
        return self.clock.now() + self._ahead

    async def load(self, position: Position, now: datetime) -> Number:
        """The number that a step sees."""
        self.journal.enter("numbers.of")
        row = self.row
        code = row.secrets.get("code") if row.code is not None else None
        secrets = FakeSecrets(code=code, **{name: value for name, value in row.secrets.items() if name != "code"})
        secrets.script.listeners.append(self.journal.enter)
        number = make_number(
            self.graph,
            self.onprem,
            self.hooks,
            self.commands,
            secrets,
            now=now,
            results=dict(row.results),
            code=row.code,
            default_smoke_to=self._default_smoke_to,
        )
        return replace(number, state=position, notes=dict(row.notes))

    def again(self, number: Number, position: Position, now: datetime) -> Number | None:
        """As after a door was used: everything is loaded anew."""
        return None

    def find_all_inputs(self) -> None:
        """Every earlier step whose result ages was done just now."""
        position = self.row.position
        for entry in itinerary_named(position.itinerary).before(position.next_step or ""):
            if entry.step.contract.fresh_for is not None:
                self.row.results[entry.name] = FindingRow(entry.name, self.now(), {})

    def type_code(self, code: str) -> None:
        """Somebody types the code in."""
        self.row.code = CodeRow(5, self.now(), "ana", "entered")
        self.row.secrets["code"] = code
        self.raise_version()

    def raise_version(self) -> None:
        """As everything does that arrives for a number while a worker may be at it."""
        self.row.update(version=self.row.position.version + 1)

    def open(self, facts: Mapping[str, Any] | None = None, **columns: Any) -> OpenAttempt:
        """Leave an attempt at the present step open, as a worker does that dies after its intent."""
        row, step, now = self.row, self.row.position.next_step or "", self.now()
        number = row.position.attempts + 1
        contract = itinerary_named(row.position.itinerary).at(step).step.contract
        due = now + contract.longest_call + timedelta(seconds=5)
        attempt = OpenAttempt(
            100 + number,
            number,
            step,
            f"1/{step}/{number}",
            {"side_before": Side.ON_PREMISES, **(facts or {})},
            Side.ON_PREMISES,
            now,
            due,
            due + contract.settle_for,
        )
        row.open_attempt = replace(attempt, **columns)
        row.attempts.append({"id": attempt.id, "number": number, "step": step, "ended": None})
        row.update(attempts=number)
        return row.open_attempt

    async def run(self) -> Outcome:
        return await self.executor.run_next(self.row.position.migration_id)

    async def run_until_it_ends(self, passes: int = 200) -> Outcome:
        """Run the present step until it does not wait any more; every wait is slept out, however long it is."""
        outcome = await self.run()
        for _ in range(passes):
            if not isinstance(outcome, Waiting):
                break
            self.clock.advance(max((outcome.until - self.now()).total_seconds(), 0.0))
            outcome = await self.run()
        return outcome


def at_register(*, cloud: Any = ON_PREMISE, reading: Any = SERVING, **more: Any) -> EngineInMemory:
    """At the cutover of WITH_BACKUP. `register`: how Graph answers that call."""
    answers = {"number": cloud} | ({"register": more.pop("register")} if "register" in more else {})
    return EngineInMemory(
        "register", graph=FakeGraph(**answers), onprem=FakeOnPrem(reading=reading), secrets=SECRETS, **more
    )


def changes_of(engine: EngineInMemory) -> list[c.Change]:
    """The changes of the only write, but for what its readings show of the number's service."""
    (move,) = engine.row.moves
    return [change for change in move.changes if not isinstance(change, c.ServiceSeen)]


def nothing_was_sent(engine: EngineInMemory) -> bool:
    return "register" not in engine.graph.script.names() and engine.row.open_attempt is None
