"""The product and the sandbox in one process: database, sandbox, clock, object graph, and ways to kill a worker."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import SecretStr
from sqlalchemy import event, update

from migration.app import App, open_app
from migration.clients.commands import LONGEST_S, CommandResult, NamedCommands
from migration.clock import Clock
from migration.engine.runner import Busy
from migration.fleet.importing import import_fleet
from migration.home.reader import HomeReader, open_reader
from migration.operations.received_codes import enter_code
from migration.runtime.stop_request import StopRequest
from migration.scrubbing.texts import SafeText
from migration.settings import Settings
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Waiting
from migration.vault.sealing import new_master_key
from sandbox.app import Sandbox
from state.enums import Party
from state.models import NumberTable
from state.rows import Position
from tests.harness.clock import AFTER_SUNSET, START, FakeClock, FakeSqlClock
from tests.harness.crash_point import CrashPoint
from tests.harness.partner_files import write_home, write_inventory

# What a named command does in place of acting on its client; it is given the act.
InsteadOfCommand = Callable[[Callable[[str], bool]], Awaitable[CommandResult]]


class SandboxTransport(httpx.AsyncBaseTransport):
    """Sends requests to the sandbox in this process. A write passes the crash point before and after it."""

    def __init__(self, harness: "Harness") -> None:
        self._harness = harness
        self._inner = harness.sandbox.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        write = request.method != "GET" and not request.url.path.endswith("/users/login")
        if write:
            self._harness.crash_point.sending()
        response = await self._inner.handle_async_request(request)
        if self._harness.before_answer is not None:
            await self._harness.before_answer(request)
        if write:
            self._harness.crash_point.sent()
        change = self._harness.change_answer
        return response if change is None else await change(request, response)


class SandboxCommands(NamedCommands):
    """Named commands that stop and start clients of the sandbox in this process."""

    def __init__(self, harness: "Harness") -> None:
        super().__init__({}, boot_time=harness.clock.boot_time)
        self._harness = harness

    async def run(
        self, name: str, arguments: Mapping[str, str], *, send_by: float, at_most_s: float = LONGEST_S
    ) -> CommandResult:
        self.check_deadline(name, send_by)
        self._harness.crash_point.sending()
        self._harness.commands.append(f"{name} {arguments['instance']}")
        act = self._harness.sandbox.stop_instance if name == "stop" else self._harness.sandbox.start_instance
        if (instead := self._harness.instead_of_command.get(arguments["instance"])) is not None:
            return await instead(act)
        succeeded = act(arguments["instance"])
        self._harness.crash_point.sent()
        return CommandResult(succeeded, SafeText("done" if succeeded else "the command failed"))


@dataclass
class Harness:
    sandbox: Sandbox
    clock: FakeClock
    settings: Settings
    folder: Path
    crash_point: CrashPoint = field(default_factory=CrashPoint)
    commands: list[str] = field(default_factory=list)
    workers: int = 0
    dead: set[str] = field(default_factory=set)  # workers that are known to have exited
    seed: int = 1
    stop: StopRequest = field(default_factory=StopRequest)  # of every worker
    attended: bool = True  # somebody is at the phone of every number
    before_answer: Callable[[httpx.Request], Awaitable[None]] | None = None  # the far side has acted already
    change_answer: Callable[[httpx.Request, httpx.Response], Awaitable[httpx.Response]] | None = None
    instead_of_command: dict[str, InsteadOfCommand] = field(default_factory=dict)  # by instance

    @asynccontextmanager
    async def worker(self, *, dry_run: bool = False, clock: Clock | None = None) -> AsyncIterator[App]:
        """A worker with a name, database connections and HTTP clients of its own, as another process has.

        `clock`: the worker's clock, where it differs from the database's.
        """
        self.workers += 1
        dice = random.Random(self.seed * 1000 + self.workers)
        async with open_app(
            self.settings,
            dry_run=dry_run,
            clock=clock or self.clock,
            sql_clock=FakeSqlClock(self.clock.now),
            transport=lambda _tls: SandboxTransport(self),
            randomness=dice.randbytes,
            holder=f"worker-{self.workers}",
            is_gone=self.dead.__contains__,
            stop=self.stop,
            commands=SandboxCommands(self),
        ) as app:
            if self.attended and not dry_run:
                await everybody_at_the_phone(app)
            event.listen(app.database.sync_engine, "commit", lambda _connection: self.crash_point.committed())
            yield app

    def reader(self) -> AbstractAsyncContextManager[HomeReader]:
        """The record alone, as `status` and `show` read it."""
        sql_clock = FakeSqlClock(self.clock.now)
        return open_reader(self.settings, sql_clock=sql_clock, is_gone=self.dead.__contains__)

    def graph(self) -> httpx.AsyncClient:
        """A Graph client that is not the product's: what the partner does by hand."""
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        return httpx.AsyncClient(
            transport=self.sandbox.transport(), base_url="http://sandbox.localhost", headers=headers
        )

    # -- the fleet

    def inventory(self, **columns: str) -> Path:
        """The sandbox's numbers as an inventory file; `columns` are set in every row."""
        path = self.folder / "fleet.csv"
        write_inventory(path, self.sandbox.manifest("http://sandbox.localhost")["numbers"], columns)
        return path

    async def import_numbers(self, app: App, **columns: str) -> list[Position]:
        await import_fleet(app, self.inventory(**columns), "tester", lambda done, of: None)
        if self.attended:
            await everybody_at_the_phone(app)
        return list(await app.queries.positions.board())

    # -- moving

    async def run_number(self, app: App, ref: str, *, patience: timedelta = timedelta(hours=2)) -> Outcome | Busy:
        """Run a number and enter its codes, until it needs a person or a wait of more than `patience`."""
        position = await app.queries.positions.find(ref)
        end = self.clock.now() + patience
        while True:
            outcome = await app.runner.run_one(position.migration_id)
            match outcome:
                case Waiting(on=Party.CUSTOMER) if await self.enter_newest_code(app, position):
                    continue
                case Waiting(until=until) if until <= end:
                    self.clock.advance(max((until - self.clock.now()).total_seconds(), 0.1))
                case Busy() if (position := await app.queries.positions.find(ref)).lease_until is not None:
                    assert position.lease_until is not None
                    self.clock.advance(max((position.lease_until - self.clock.now()).total_seconds(), 0.0) + 0.1)
                case Held() | Blocked() | Busy() | Waiting() | Advanced():
                    return outcome
                case other:
                    raise AssertionError(f"a run ended with {other}")

    async def advance_to(self, app: App, position: Position, step: str) -> Position:
        """Run steps of the number until `step` is its next one."""
        for _ in range(200):
            position = await app.queries.positions.get(position.migration_id)
            if position.next_step == step:
                return position
            outcome = await app.runner.run_step(position.migration_id)
            if (
                isinstance(outcome, Waiting)
                and outcome.on is Party.CUSTOMER
                and await self.enter_newest_code(app, position)
            ):
                continue
            assert not app.runner.is_final(outcome), f"stopped at {position.next_step}: {outcome}"
            await app.runner.wait(outcome)
        raise AssertionError(f"never came to {step}")

    async def enter_newest_code(self, app: App, position: Position) -> bool:
        """Enter the newest code on the number's phone. False where there is none or the number does not wait for it."""
        codes = self.sandbox.sms(position.e164)
        current = await app.queries.positions.get(position.migration_id)
        if not codes or current.next_step not in ("verify_code", "verify_code_onprem"):
            return False
        await enter_code(app, position.ref, SecretStr(codes[-1]), "tester")
        return True

    def mutations(self, position: Position) -> list[str]:
        return list(self.sandbox.mutations(position.e164))

    def sandbox_number(self, position: Position) -> Any:
        return self.sandbox.world.number(position.e164)


async def everybody_at_the_phone(app: App) -> None:
    """As if somebody had said so of each number, and stayed."""
    async with app.database.begin() as tx:
        nobody = update(NumberTable).where(NumberTable.ready_until.is_(None))
        await tx.execute(
            nobody.values(ready_until=datetime(2090, 1, 1, tzinfo=UTC), ready_how="desk", ready_by="tester")
        )


async def build_harness(
    folder: Path,
    database_url: str,
    *,
    kinds: Sequence[str] = ("healthy",),
    world: Literal["open", "closing", "after-sunset"] = "closing",
    switches: Mapping[str, Any] | None = None,
    start: datetime | None = None,
    seed: int = 7,
    numbers_per_waba: int = 10,
    make_clock: Callable[[datetime], FakeClock] = FakeClock,
) -> Harness:
    """A harness on an empty database at the newest schema revision. `kinds`: a number of the sandbox for each."""
    clock = make_clock(start or (AFTER_SUNSET if world == "after-sunset" else START))
    sandbox = Sandbox.build(
        numbers=len(kinds),
        seed=seed,
        world=world,
        now=clock.now,
        switches=dict(switches or {}),
        kinds=list(kinds),
        numbers_per_waba=numbers_per_waba,
    )
    write_home(folder, sandbox.manifest("http://sandbox.localhost"))
    settings = Settings(
        home=folder, database_url=database_url, master_key=new_master_key(), graph_url="http://sandbox.localhost"
    )
    return Harness(sandbox, clock, settings, folder, seed=seed)


MakeHarness = Callable[..., Awaitable[Harness]]  # `build_harness` on the test's database
