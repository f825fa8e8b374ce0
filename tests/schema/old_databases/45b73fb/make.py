"""Made the databases beside this file. It is kept as the record of how, and it runs only against release 45b73fb.

    git worktree add /tmp/release45 45b73fb
    PYTHONPATH=/tmp/release45 .venv/bin/python tests/schema/old_databases/45b73fb/make.py

Every number of a scene is moved by that release's own code, in that release's sandbox, to one place and left there.
Each scene becomes a folder: README.md says what the files are.
"""

import asyncio
import base64
import csv
import gzip
import io
import json
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import SecretStr

from migration.actions import (
    back_to_onprem,
    begin_wave,
    enter_code,
    hold_number,
    look_back,
    recover_forward,
    release_wave,
    turn_to_abort,
)
from migration.bootstrap import App
from migration.fleet.importing import import_fleet
from migration.sandbox import Sandbox
from migration.sandbox.kinds import spec_of
from migration.sandbox.scenario import load
from migration.sandbox.switches import Switches, with_values
from migration.sandbox.wire import Answer, Request
from migration.settings import Settings
from migration.step import Blocked, Held, Waiting
from migration.vault import new_master_key
from migration.waves.loop import Slice, WaveLoop
from state.ledger.waves import NewWave
from state.rows import Position
from state.schema import head, upgrade
from state.sides import Party, Released
from tests.journeys.kills import struck
from tests.rig import AFTER_SUNSET, START, FakeClock, Rig, _row, write_home

HERE = Path(__file__).resolve().parent
SEED = 45
HOOK = {"hook": "senders"}
CLIENT = HOOK | {"start_command": "start"}
CODE_AFTER = CLIENT | {"itinerary": "CODE_AFTER"}
SENT_HEADERS = ("authorization", "content-type", "idempotency-key", "x-cutover-signature-256")

Work = Callable[["Scene", Rig, Position], Awaitable[None]]


@dataclass(frozen=True)
class Plot:
    """One number: what it is, how far it is moved, and how it has to end when it is resumed."""

    name: str
    number: Mapping[str, Any]
    columns: Mapping[str, str]
    work: Sequence[Work]
    open_attempt: str | None = None  # the step whose attempt has to be open in the end
    next_step: str | None = None  # where it has to stand in the end, if that is not said by the open attempt
    remedy: str | None = None  # what a person does before it can go on
    side: str = "cloud"
    status: str | None = "done"  # None: it has no migration
    registers: int = 1  # in effect, over the number's whole life
    deregisters: int = 0


@dataclass
class Scene:
    name: str
    world: str
    plots: Sequence[Plot]
    switches: Mapping[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)


# -- what is done to a number; each opens a worker of its own


def stand_at(step: str) -> Work:
    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        async with rig.worker() as app:
            await rig.stand_at(app, await app.queries.positions.find(at.ref), step)

    return work


def die(step: str, kill: str) -> Work:
    """A worker that dies at the first write of the step: "before_send" it leaves, or "after_send" had its effect."""

    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        await stand_at(step)(scene, rig, at)

        async def act(app: App) -> None:
            await rig.stand_at(app, await app.queries.positions.find(at.ref), "never there")

        assert await struck(rig, kill, 1, act), step

    return work


async def finish(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        await rig.drive(app, at.ref)
        at = await app.queries.positions.find(at.ref)
        assert at.ended_at is not None, f"{at.status} at {at.next_step}: {at.reason}"


def wait_at(step: str, *, on: Party) -> Work:
    """To the wait at this step for a customer, and no further."""

    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        async with rig.worker() as app:
            at = await rig.stand_at(app, await app.queries.positions.find(at.ref), step)
            outcome = await app.mover.run_step(at.migration_id)
            assert isinstance(outcome, Waiting), outcome
            assert outcome.on is on, outcome

    return work


def type_code(step: str) -> Work:
    """The code has come and was typed in; nobody has used it."""

    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        async with rig.worker() as app:
            at = await rig.stand_at(app, await app.queries.positions.find(at.ref), step)
            rig.clock.advance(20)
            await enter_code(app, at.ref, SecretStr(rig.sandbox.sms(at.e164)[-1]), "tester")

    return work


def type_wrong_code(step: str) -> Work:
    """A person typed a code that is wrong, and it was refused."""

    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        async with rig.worker() as app:
            at = await rig.stand_at(app, await app.queries.positions.find(at.ref), step)
            rig.clock.advance(20)
            code = rig.sandbox.sms(at.e164)[-1]
            await enter_code(app, at.ref, SecretStr(f"{(int(code) + 1) % 1_000_000:06d}"), "tester")
            await app.mover.run_step(at.migration_id)

    return work


async def hold(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        await hold_number(app, at.ref, "tester", "the customer asked for it")
        assert isinstance(await rig.drive(app, at.ref), Held)


async def block(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        assert isinstance(await rig.drive(app, at.ref), Blocked)


def control(path: str, body: Mapping[str, Any]) -> Work:
    """What happens at the other side without us; goes through the sandbox's own controls, so that it is recorded."""

    async def work(scene: Scene, rig: Rig, at: Position) -> None:
        async with rig.graph() as client:
            response = await client.post(f"/_sandbox/{path}", json={"e164": at.e164, **body})
            assert response.status_code == 200, response.text

    return work


async def go_back(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        await back_to_onprem(app, await look_back(app, at.ref), "tester")


async def go_forward(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        await recover_forward(app, at.ref, "it is dark", "tester")


async def turn_back(scene: Scene, rig: Rig, at: Position) -> None:
    async with rig.worker() as app:
        await turn_to_abort(app, at.ref, "the customer changed their mind", "tester")


# -- the numbers


def with_backup(name: str, *work: Work, number: Mapping[str, Any] | None = None, **ends: Any) -> Plot:
    return Plot(f"with backup: {name}", number or {"kind": "healthy"}, CLIENT, work, **ends)


def code_first(name: str, *work: Work, **ends: Any) -> Plot:
    return Plot(f"code first: {name}", {"kind": "no_backup"}, CLIENT, work, **ends)


def code_after(name: str, *work: Work, **ends: Any) -> Plot:
    return Plot(f"code after: {name}", {"kind": "code_refused"}, CODE_AFTER, work, **ends)


def dark(name: str, *work: Work, **ends: Any) -> Plot:
    return Plot(f"dark on arrival: {name}", {"kind": "dark"}, HOOK, work, **ends)


def onboard(name: str, *work: Work, **ends: Any) -> Plot:
    return Plot(f"onboard: {name}", {"kind": "new", "verified": False}, HOOK, work, **ends)


def recovery(name: str, *work: Work, **ends: Any) -> Plot:
    return Plot(f"recovery: {name}", {"kind": "dark"}, HOOK, [go_forward, *work], **ends)


def back(name: str, *work: Work, **ends: Any) -> Plot:
    ends = {"side": "on_premises", "deregisters": 1} | ends
    return Plot(f"back: {name}", {"kind": "verified"}, CLIENT, [finish, go_back, *work], **ends)


def abort(name: str, *work: Work, number: str = "healthy", until: str = "drain", **ends: Any) -> Plot:
    ends = {"side": "on_premises", "status": "aborted", "registers": 0} | ends
    return Plot(f"abort: {name}", {"kind": number}, CLIENT, [stand_at(until), turn_back, *work], **ends)


def killed(make: Callable[..., Plot], step: str, kill: str, *first: Work, **ends: Any) -> Plot:
    when = {"before_send": "before", "after_send": "after"}[kill]
    return make(f"{step} killed {when} the call", *first, die(step, kill), open_attempt=step, **ends)


def at_step(make: Callable[..., Plot], step: str, *first: Work, **ends: Any) -> Plot:
    return make(f"at {step}", *first, stand_at(step), next_step=step, **ends)


def wave_number(wave: str, place: int, kind: str = "healthy", **ends: Any) -> Plot:
    return Plot(f"wave {wave}: number {place}", {"kind": kind}, CLIENT, [], **ends)


# An account that has a number on Cloud is allowed more calls an hour: 5,000 and not 200.
ON_CLOUD = Plot("already on Cloud", {"kind": "on_cloud"}, HOOK, [], status=None, registers=0)
DRAIN = control("senders", {"behaviour": "drain", "drain_s": 40})
BEFORE, AFTER = "before_send", "after_send"
NORTH, SOUTH = 6, 3

CLOSING = Scene(
    "closing",
    "closing",
    [
        *(wave_number("north", place) for place in range(1, NORTH + 1)),
        wave_number("south", 1, "tos_missing", remedy="accept the terms"),
        wave_number("south", 2),
        wave_number("south", 3),
        wave_number("east", 1),
        ON_CLOUD,
        with_backup("just imported", next_step="snapshot"),
        with_backup("done", finish),
        with_backup("held by a person", hold, next_step="pause_sends", remedy="release"),
        with_backup(
            "refused for the terms of service",
            block,
            number={"kind": "tos_missing"},
            next_step="register",
            remedy="accept the terms",
        ),
        with_backup(
            "blocked past its crossing",
            block,
            number={"kind": "stop_fails"},
            next_step="deregister_onprem",
            remedy="state off",
        ),
        with_backup(
            "taken down by a wrong PIN",
            stand_at("register"),
            control("manager", {"do": "set_pin", "pin": "424242"}),
            block,
            next_step="register",
            remedy="recover forward",
        ),
        killed(with_backup, "secure_pin", BEFORE),
        killed(with_backup, "secure_pin", AFTER),
        at_step(with_backup, "back_up"),
        at_step(with_backup, "subscribe"),
        at_step(code_first, "request_code"),
        killed(code_first, "request_code", BEFORE),
        killed(code_first, "request_code", AFTER),
        code_first("waits for a code", wait_at("verify_code", on=Party.CUSTOMER), next_step="verify_code"),
        code_first("a code was typed in", type_code("verify_code"), next_step="verify_code"),
        code_first("a wrong code was typed in", type_wrong_code("verify_code"), next_step="verify_code"),
        killed(code_first, "verify_code", AFTER, type_code("verify_code")),
        killed(onboard, "secure_pin", AFTER),
        onboard("waits for a code", wait_at("verify_code", on=Party.CUSTOMER), next_step="verify_code"),
        killed(onboard, "register", BEFORE),
        killed(onboard, "register", AFTER),
        at_step(onboard, "send_smoke"),
        at_step(recovery, "read_both_sides"),
        recovery("waits for a code", wait_at("verify_code", on=Party.CUSTOMER), next_step="verify_code"),
        killed(recovery, "register", BEFORE),
        killed(recovery, "register", AFTER),
        at_step(recovery, "resume_sends"),
        at_step(dark, "secure_pin"),
        killed(dark, "request_code", AFTER),
        killed(dark, "register", AFTER),
        killed(back, "deregister_cloud", BEFORE, side="cloud", registers=2),
        killed(back, "deregister_cloud", AFTER, side="cloud", registers=2),
        abort("done", finish),
        at_step(abort, "switch_route"),
        killed(abort, "resume_sends", BEFORE),
        killed(abort, "resume_sends", AFTER),
        with_backup("senders drain", DRAIN, wait_at("pause_sends", on=Party.CUSTOMER), open_attempt="pause_sends"),
        killed(with_backup, "pause_sends", AFTER),
        at_step(code_after, "drain"),
        killed(code_after, "deregister_onprem", BEFORE),
        killed(code_after, "deregister_onprem", AFTER),
        code_after("waits for a code", wait_at("verify_code", on=Party.CUSTOMER), next_step="verify_code"),
        killed(code_after, "register", BEFORE),
        killed(code_after, "register", AFTER),
        killed(code_first, "deregister_onprem", AFTER),
        at_step(code_first, "register"),
        killed(code_first, "register", AFTER),
        killed(with_backup, "deregister_onprem", BEFORE),
        killed(with_backup, "deregister_onprem", AFTER),
        at_step(with_backup, "restore_profile"),
        killed(with_backup, "resume_sends", AFTER),
        at_step(with_backup, "resume_sends"),
        killed(with_backup, "send_smoke", BEFORE),
        killed(with_backup, "send_smoke", AFTER),
        killed(with_backup, "switch_route", AFTER),
        at_step(with_backup, "confirm"),
        at_step(with_backup, "register"),
        killed(with_backup, "register", BEFORE),
        killed(with_backup, "register", AFTER),
    ],
)

OPEN = Scene(
    "open",
    "open",
    [
        ON_CLOUD,
        back("done", finish),
        at_step(back, "pause_sends"),
        killed(back, "deregister_cloud", BEFORE),
        killed(back, "deregister_cloud", AFTER),
        killed(back, "start_onprem", BEFORE),
        killed(back, "start_onprem", AFTER),
        at_step(back, "restore_onprem"),
        at_step(back, "confirm_onprem"),
        at_step(back, "switch_route"),
        killed(back, "resume_sends", AFTER),
    ],
)

OPEN_BY_CODE = Scene(
    "open-by-code",
    "open",
    [
        ON_CLOUD,
        killed(back, "restore_onprem", BEFORE),
        killed(back, "restore_onprem", AFTER),
        at_step(back, "request_code_onprem"),
        killed(back, "request_code_onprem", AFTER),
        back("waits for a code", wait_at("verify_code_onprem", on=Party.CUSTOMER), next_step="verify_code_onprem"),
        killed(back, "verify_code_onprem", BEFORE, type_code("verify_code_onprem")),
        killed(back, "verify_code_onprem", AFTER, type_code("verify_code_onprem")),
        at_step(back, "smoke_onprem"),
    ],
    switches={"restore_registers": "never"},
)

AFTER_THE_SUNSET = Scene(
    "after-sunset",
    "after-sunset",
    [
        ON_CLOUD,
        Plot(
            "expired: at pause_sends", {"kind": "expired"}, CLIENT, [stand_at("pause_sends")], next_step="pause_sends"
        ),
        Plot(
            "expired: deregister_onprem killed after the call",
            {"kind": "expired"},
            CLIENT,
            [die("deregister_onprem", AFTER)],
            open_attempt="deregister_onprem",
        ),
        Plot(
            "expired: waits for a code",
            {"kind": "expired"},
            CLIENT,
            [wait_at("verify_code", on=Party.CUSTOMER)],
            next_step="verify_code",
        ),
        Plot(
            "expired: register killed after the call",
            {"kind": "expired"},
            CLIENT,
            [die("register", AFTER)],
            open_attempt="register",
        ),
        Plot(
            "host gone: request_code killed after the call",
            {"kind": "host_gone"},
            CLIENT,
            [die("request_code", AFTER)],
            open_attempt="request_code",
        ),
        Plot(
            "dark: register killed before the call",
            {"kind": "dark"},
            HOOK,
            [die("register", BEFORE)],
            open_attempt="register",
        ),
    ],
)


async def _move_waves(scene: Scene, rig: Rig, board: Sequence[Position]) -> None:
    north, rest = list(board[:NORTH]), list(board[NORTH:])
    await _half_a_canary(scene, rig, north)
    await _go_on_after_a_halt(scene, rig, rest[:SOUTH])
    async with rig.worker() as app:
        begins = rig.clock.now() + timedelta(days=2)
        east = NewWave("east", window_start=begins, window_end=begins + timedelta(hours=4), time_zone="Europe/Berlin")
        await app.ledger.waves.make(east, [rest[SOUTH].migration_id])


async def _half_a_canary(scene: Scene, rig: Rig, north: Sequence[Position]) -> None:
    """Of a canary of two one is done and one under way; three others are held at the gate, one is not begun."""
    async with rig.worker() as app:
        new = NewWave("north", canary_size=2, concurrency=3, halt_count=2, released=Released.CANARY)
        await app.ledger.waves.make(new, [at.migration_id for at in north])
        await begin_wave(app, "north")
        for at in (north[0], *north[2:-1]):
            await rig.drive(app, at.ref)
        held = {(await app.queries.positions.get(at.migration_id)).status for at in north[2:-1]}
        assert held == {"held"}, held
    await stand_at("confirm")(scene, rig, north[1])


async def _go_on_after_a_halt(scene: Scene, rig: Rig, south: Sequence[Position]) -> None:
    """The first one failed and the wave halted; a person let it go on; the second one is under way."""
    async with rig.worker() as app:
        await app.ledger.waves.make(NewWave("south", halt_count=1), [at.migration_id for at in south])
        await begin_wave(app, "south")
        loop = WaveLoop(app, app.mover.run_one, concurrency=1, patience=timedelta(seconds=30))
        await loop.run(Slice(wave="south"))
        assert (await app.queries.waves.get("south")).state == "halted"
        await release_wave(app, "south", canary=False, only=[])
    await stand_at("register")(scene, rig, south[1])


# -- writing it down


def _recording(scene: Scene, sandbox: Sandbox, clock: FakeClock) -> None:
    """Every request that reaches the sandbox, in order, so that the same world can be made again."""
    handle = sandbox.handle

    def recorded(request: Request) -> Answer:
        answer = handle(request)
        target = request.raw if request.raw is not None else request.path
        scene.calls.append(
            {
                "at": clock.now().isoformat(),
                "method": request.method,
                "url": request.base + target + (f"?{request.query}" if request.query else ""),
                "headers": {name: request.headers[name] for name in SENT_HEADERS if name in request.headers},
                "body": base64.b64encode(request.body).decode(),
                "status": answer.status,
            }
        )
        return answer

    sandbox.handle = recorded  # type: ignore[method-assign]


def _write_scenario(path: Path, scene: Scene) -> None:
    """Every value is written out, so that another value where nobody says one makes no other world."""
    specs = {str(plot.number): asdict(spec_of(plot.number)) for plot in scene.plots}  # equal ones are aliases in YAML
    told = {
        "world": scene.world,
        "seed": SEED,
        "switches": asdict(with_values(Switches(), scene.switches)),
        "numbers": [specs[str(plot.number)] for plot in scene.plots],
    }
    path.write_text(yaml.safe_dump(told, sort_keys=False))


def _write_inventory(path: Path, scene: Scene, numbers: Sequence[Mapping[str, Any]]) -> None:
    rows = [_row(number) | dict(plot.columns) for number, plot in zip(numbers, scene.plots, strict=True)]
    names = sorted({name for row in rows for name in row})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _write_database(path: Path, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        text = "\n".join(connection.iterdump()) + "\n"
    _write_gzip(path, text.encode())


def _write_gzip(path: Path, content: bytes) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(content)


def _write_home(path: Path, home: Path) -> None:
    """The operator's folder: admin file, secrets, master key, backups."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for file in sorted(home.rglob("*")):
            if file.name != "fleet.csv" and not file.is_dir():
                tar.add(file, str(file.relative_to(home)))
    _write_gzip(path, content.getvalue())


async def _board(app: App, numbers: Sequence[Mapping[str, Any]]) -> list[Position | None]:
    board = {at.e164: at for at in await app.queries.positions.board()}
    return [board.get(number["e164"]) for number in numbers]


async def _checked(app: App, plot: Plot, at: Position) -> None:
    """Whether the number was left where the plot says."""
    attempt = await app.queries.records.open_attempt(at.migration_id)
    stands = f"{plot.name}: {at.status} at {at.next_step} of {at.itinerary}: {at.reason}"
    assert (attempt.step if attempt is not None else None) == plot.open_attempt, stands
    if plot.next_step is not None:
        assert at.next_step == plot.next_step, stands
    sys.stdout.write(f"{stands}\n")


async def make(scene: Scene) -> None:
    folder = HERE / scene.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _write_scenario(folder / "scenario.yaml", scene)
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)
        home, database = room / "home", room / "state.db"
        url = f"sqlite+aiosqlite:///{database}"
        await upgrade(url)
        clock = FakeClock(AFTER_SUNSET if scene.world == "after-sunset" else START)
        start = clock.now()
        sandbox = Sandbox.from_scenario(load(folder / "scenario.yaml"), now=clock.now)
        manifest = sandbox.manifest("http://sandbox")
        write_home(home, manifest)
        (home / "master.key").write_text(new_master_key().get_secret_value())
        (home / "master.key").chmod(0o600)
        _recording(scene, sandbox, clock)
        settings = Settings(home=home, database_url=url, graph_url="http://sandbox")
        rig = Rig(sandbox, clock, settings, home, seed=SEED)
        _write_inventory(home / "fleet.csv", scene, manifest["numbers"])
        async with rig.worker() as app:
            await app.ledger.facts.state("profile_survives", "yes", "seen on one number", "tester")
            await import_fleet(app, home / "fleet.csv", "tester", lambda done, of: None)
            board = await _board(app, manifest["numbers"])
        if scene is CLOSING:
            await _move_waves(scene, rig, [at for at in board if at is not None])
        for plot, at in zip(scene.plots, board, strict=True):
            for work in plot.work:
                assert at is not None, plot.name
                await work(scene, rig, at)
        async with rig.worker() as app:
            for plot, at in zip(scene.plots, await _board(app, manifest["numbers"]), strict=True):
                if at is not None and not plot.name.startswith("wave"):
                    await _checked(app, plot, at)
            refs = {row["e164"]: row["ref"] for row in [*await app.queries.fleet.without_migration()]}
            refs |= {at.e164: at.ref for at in await app.queries.positions.board()}
        async with httpx.AsyncClient(transport=sandbox.transport(), base_url="http://sandbox") as client:
            world = (await client.get("/_sandbox/world")).json()
            del scene.calls[-1]
        _write_database(folder / "database.sql.gz", database)
        _write_home(folder / "home.tar.gz", home)
    lines = "".join(json.dumps(call, separators=(",", ":")) + "\n" for call in scene.calls)
    _write_gzip(folder / "calls.jsonl.gz", lines.encode())
    numbers = [
        {
            "ref": refs[number["e164"]],
            "left": plot.name,
            "remedy": plot.remedy,
            "ends": {
                "side": plot.side,
                "status": plot.status,
                "registers": plot.registers,
                "deregisters": plot.deregisters,
            },
        }
        for number, plot in zip(manifest["numbers"], scene.plots, strict=True)
    ]
    core = ("e164", "platform", "side", "registers", "registered", "deregisters")
    told = {
        "release": "45b73fb",
        "revision": head(),
        "start": start.isoformat(),
        "now": clock.now().isoformat(),
        "workers": rig.workers,
        "seed": SEED,
        "numbers": numbers,
        "world": [{name: row[name] for name in core} for row in world["numbers"]],
    }
    (folder / "scene.json").write_text(json.dumps(told, indent=1) + "\n")


async def main(names: Sequence[str]) -> None:
    for scene in (CLOSING, OPEN, OPEN_BY_CODE, AFTER_THE_SUNSET):
        if not names or scene.name in names:
            await make(scene)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
