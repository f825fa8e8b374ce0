"""One object for a story about numbers: database, sandbox, clock, clients, engine, and ways to kill a worker."""

import csv
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import SecretStr
from sqlalchemy import event

from migration.app import App, open_app
from migration.clients.commands import CommandResult, NamedCommands
from migration.clock import Clock
from migration.engine.runner import Busy
from migration.fleet.importing import import_fleet
from migration.operations.codes import enter_code
from migration.settings import Settings
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Waiting
from migration.vault.sealing import new_master_key
from sandbox.app import Sandbox
from state.enums import Party
from state.rows import Position
from state.schema import upgrade
from state.types import HandedClock

START = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER_SUNSET = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SMOKE_TO = "+15550109999"


class Killed(BaseException):
    """The worker died here; nothing of it runs any more."""


class FakeClock:
    """Time that moves when it is told to. Sleeping is moving it."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._boot = 1000.0

    def now(self) -> datetime:
        return self._now

    def boot(self) -> float:
        return self._boot

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._boot += seconds


@dataclass
class Scythe:
    """Kills at the nth commit, or at the nth thing sent: before it leaves or after it had its effect."""

    at_commit: int | None = None
    before_send: int | None = None
    after_send: int | None = None
    commits: int = 0
    sends: int = 0
    struck: bool = False
    watch: Callable[[], None] | None = None  # called at every commit

    @classmethod
    def out(cls, kill: str, nth: int) -> "Scythe":
        """For one of "at_commit", "before_send", "after_send"."""
        made = cls()
        setattr(made, kill, nth)
        return made

    def commit(self) -> None:
        self.commits += 1
        if self.watch is not None:
            self.watch()
        if self.commits == self.at_commit:
            self.strike()

    def sending(self) -> None:
        self.sends += 1
        if self.sends == self.before_send:
            self.strike()

    def sent(self) -> None:
        if self.sends == self.after_send:
            self.strike()

    def strike(self) -> None:
        self.struck = True
        raise Killed


class Wire(httpx.AsyncBaseTransport):
    """The sandbox in this process, with the scythe at its door."""

    def __init__(self, rig: "Rig") -> None:
        self._rig = rig
        self._inner = rig.sandbox.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        write = request.method != "GET" and not request.url.path.endswith("/users/login")
        if write:
            self._rig.scythe.sending()
        answer = await self._inner.handle_async_request(request)
        if write:
            self._rig.scythe.sent()
        return answer


class SandboxCommands(NamedCommands):
    """Named commands that act on the sandbox in this process."""

    def __init__(self, rig: "Rig") -> None:
        super().__init__({}, boot=rig.clock.boot)
        self._rig = rig

    async def run(self, name: str, arguments: Mapping[str, str], *, send_by: float) -> CommandResult:
        self.in_time(name, send_by)
        self._rig.scythe.sending()
        self._rig.commands.append(f"{name} {arguments['instance']}")
        act = self._rig.sandbox.stop_instance if name == "stop" else self._rig.sandbox.start_instance
        done = act(arguments["instance"])
        self._rig.scythe.sent()
        return CommandResult(done, "done" if done else "the command failed")


@dataclass
class Rig:
    sandbox: Sandbox
    clock: FakeClock
    settings: Settings
    folder: Path
    scythe: Scythe = field(default_factory=Scythe)
    commands: list[str] = field(default_factory=list)
    workers: int = 0
    seed: int = 1

    @asynccontextmanager
    async def worker(self, *, dry_run: bool = False, clock: Clock | None = None) -> AsyncIterator[App]:
        """Another worker process, as far as anything here can tell: its own name, engine and connections.

        `clock`: its own, where that is not the database's.
        """
        self.workers += 1
        dice = random.Random(self.seed * 1000 + self.workers)
        async with open_app(
            self.settings,
            dry_run=dry_run,
            clock=clock or self.clock,
            sql_clock=HandedClock(self.clock.now),
            transport=lambda _tls: Wire(self),
            randomness=dice.randbytes,
            holder=f"worker-{self.workers}",
            commands=SandboxCommands(self),
        ) as app:
            event.listen(app.database.sync_engine, "commit", lambda _connection: self.scythe.commit())
            yield app

    def graph(self) -> httpx.AsyncClient:
        """A client of Graph that is nobody of ours: what the partner does by hand."""
        headers = {"Authorization": f"Bearer {self.sandbox.token}"}
        return httpx.AsyncClient(transport=self.sandbox.transport(), base_url="http://sandbox", headers=headers)

    # -- the fleet

    def inventory(self, **columns: str) -> Path:
        """The sandbox's numbers as the CSV file of an operator."""
        path = self.folder / "fleet.csv"
        write_inventory(path, self.sandbox.manifest("http://sandbox")["numbers"], columns)
        return path

    async def imported(self, app: App, **columns: str) -> list[Position]:
        await import_fleet(app, self.inventory(**columns), "tester", lambda done, of: None)
        return list(await app.queries.board())

    # -- moving

    async def drive(self, app: App, ref: str, *, patience: timedelta = timedelta(hours=2)) -> Outcome | Busy:
        """Run one number to where only a person or more than `patience` would help, typing codes in as they come."""
        at = await app.queries.find(ref)
        end = self.clock.now() + patience
        while True:
            outcome = await app.runner.run_one(at.migration_id)
            match outcome:
                case Waiting(on=Party.CUSTOMER) if await self.type_code(app, at):
                    continue
                case Waiting(until=until) if until <= end:
                    self.clock.advance(max((until - self.clock.now()).total_seconds(), 0.1))
                case Busy() if (at := await app.queries.find(ref)).lease_until is not None:
                    assert at.lease_until is not None
                    self.clock.advance(max((at.lease_until - self.clock.now()).total_seconds(), 0.0) + 0.1)
                case Held() | Blocked() | Busy() | Waiting() | Advanced():
                    return outcome
                case other:
                    raise AssertionError(f"a run ended with {other}")

    async def stand_at(self, app: App, at: Position, step: str) -> Position:
        """Move the number until `step` is its next one."""
        for _ in range(200):
            at = await app.queries.position(at.migration_id)
            if at.next_step == step:
                return at
            outcome = await app.runner.run_step(at.migration_id)
            if isinstance(outcome, Waiting) and outcome.on is Party.CUSTOMER and await self.type_code(app, at):
                continue
            assert not app.runner.is_final(outcome), f"stopped at {at.next_step}: {outcome}"
            await app.runner.wait(outcome)
        raise AssertionError(f"never came to {step}")

    async def type_code(self, app: App, at: Position) -> bool:
        """Read the newest code off the phone and type it in, if there is one that was not used yet."""
        codes = self.sandbox.sms(at.e164)
        now = await app.queries.position(at.migration_id)
        if not codes or now.next_step not in ("verify_code", "verify_code_onprem"):
            return False
        await enter_code(app, at.ref, SecretStr(codes[-1]), "tester")
        return True

    def mutations(self, at: Position) -> list[str]:
        return list(self.sandbox.mutations(at.e164))

    def number(self, at: Position) -> Any:
        return self.sandbox.world.number(at.e164)


def write_inventory(path: Path, numbers: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """An operator's CSV file; `columns` are the same for every row."""
    with path.open("w", newline="") as file:
        rows = [_row(number) | dict(columns) for number in numbers]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _row(number: Mapping[str, Any]) -> dict[str, str]:
    row = {
        "e164": number["e164"],
        "phone_number_id": number["phone_number_id"],
        "waba_id": number["waba_id"],
        "customer": f"customer of {number['waba_id']}",
        "profile": "main",
        "instance": "",
        "onprem_url": "",
        "onprem_username": "",
        "onprem_password": "",
        "stop_command": "",
        "command_arguments": "",
        "smoke_to": SMOKE_TO,
        "code_method": "SMS",
    }
    if number["onprem_url"]:
        row |= {
            "instance": number["instance"],
            "onprem_url": number["onprem_url"],
            "onprem_username": number["username"],
            "onprem_password": number["password"],
            "stop_command": "stop",
            "command_arguments": f"instance={number['instance']}",
        }
    return row


ADMIN = """
[profiles.main]
app_id = "{app_id}"
token = {{ file = "token" }}
app_secret = {{ file = "app_secret" }}

[commands.stop]
argv = ["true"]
arguments = {{ instance = "[A-Za-z0-9_-]+" }}

[commands.start]
argv = ["true"]
arguments = {{ instance = "[A-Za-z0-9_-]+" }}

[hooks.senders]
url = "{hook_url}"
secret = {{ file = "hook_secret" }}

[smoke]
template = "hello_world"
language = "en_US"
"""


def write_home(folder: Path, told: Mapping[str, Any]) -> None:
    """An operator's home folder: the admin file and the secrets that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("token", "app_secret", "hook_secret"):
        (folder / name).write_text(told[name])
    (folder / "cutover.toml").write_text(ADMIN.format(**told))


async def make_rig(
    folder: Path,
    database_url: str,
    *,
    kinds: Sequence[str] = ("healthy",),
    world: Literal["open", "closing", "after-sunset"] = "closing",
    switches: Mapping[str, Any] | None = None,
    start: datetime | None = None,
    seed: int = 7,
) -> Rig:
    """A rig on an empty, upgraded database."""
    clock = FakeClock(start or (AFTER_SUNSET if world == "after-sunset" else START))
    sandbox = Sandbox.build(
        numbers=len(kinds), seed=seed, world=world, now=clock.now, switches=dict(switches or {}), kinds=list(kinds)
    )
    write_home(folder, sandbox.manifest("http://sandbox"))
    settings = Settings(home=folder, database_url=database_url, master_key=new_master_key(), graph_url="http://sandbox")
    return Rig(sandbox, clock, settings, folder, seed=seed)


async def upgraded_sqlite(path: Path) -> str:
    url = f"sqlite+aiosqlite:///{path}"
    await upgrade(url)
    return url
