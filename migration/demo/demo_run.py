"""The sequence of the demo: prepare, move, kill a worker during the move, continue, report."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from migration.app import App, open_app
from migration.demo.code_entry import CodeEntry
from migration.demo.partner_files import WAVE, write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.report import DemoResult, Numbers
from migration.demo.sandbox_control import SandboxControl
from migration.demo.servers import DemoServers
from migration.demo.webhook_address import name_callback
from migration.runtime.process_tree import ChildProcess
from migration.waves.proofs import apply_webhooks
from migration.waves.schedule import part_count
from state.enums import Status
from state.proof import is_moved, receives, sends
from state.rows import Position

# Seconds for the whole move. After the kill, the leases of the dead worker expire first: up to 65 s for `register`.
MOVE_WITHIN_S = 280
POLL_S = 0.4
# While waiting for the moment to kill: a call takes at most two seconds in the demo's scenario.
POLL_BEFORE_KILL_S = 0.05
# The demo waits for a number that becomes due within this time, instead of leaving it to a person.
SOON = timedelta(minutes=3)
PROVED_WITHIN_S = 15  # after the last number has moved
CODE_REFUSED = "runbooks/code-refused.md"
# How many numbers have to be on Cloud before the worker is killed: one of so many of the fleet, and no more than three.
MOVED_BEFORE_KILL = 3
FLEET_PER_MOVED = 8
# A fleet of a chosen size has these kinds in turn. Those that need a code have not crossed when the worker is killed.
KINDS = "healthy,healthy,no_backup"
MIN_NUMBERS = 6
SWITCHES = ("register_seconds=2", "read_lag_s=1", "code_delay_s=1")
RUN_WAVE = "run-wave/run-wave"


@dataclass
class DemoRun:
    """`print_event` shows a line of progress. `numbers`: the size of the fleet; None: the mixed fleet of 24 numbers.

    `show_pages`: is given the address of the pages on which the fleet can be watched.
    """

    servers: DemoServers
    print_event: Callable[[str], None]
    numbers: int | None = None
    show_pages: Callable[[str], None] = lambda _address: None
    killed: int = 0
    before: Numbers = ()
    wave_runs: list[str] = field(default_factory=list)  # ids of the wave's runs in Prefect
    switch_runs: dict[str, str] = field(default_factory=dict)  # reference -> id of the run that switches the number
    worker: ChildProcess | None = None

    async def run(self) -> DemoResult:
        """Raises DidNotStart if a process does not start, TimeoutError if the move takes too long."""
        await self._prepare()
        async with (
            SandboxControl(str(self.servers.manifest["sandbox_url"])) as sandbox,
            PrefectApi(self.servers.prefect_url) as prefect,
            open_app(self.servers.settings) as app,
        ):
            await self._move(app, sandbox, prefect)
            await self._prove(app, sandbox)
            return await self._result(app, sandbox)

    # -- before

    async def _prepare(self) -> None:
        self.print_event(f"everything is under {self.servers.folder}; every figure is from the sandbox")
        await self.servers.start_sandbox(*fleet_options(self.numbers))
        async with SandboxControl(str(self.servers.manifest["sandbox_url"])) as sandbox:
            self.before = await sandbox.numbers()
        self.print_event(f"sandbox   {self.servers.graph_url}: {len(self.before)} numbers")
        await asyncio.gather(self.servers.start_prefect(), self._import_fleet())
        self.print_event(f"prefect   {self.servers.prefect_url}")
        pages, webhooks = await self.servers.start_pages()
        self.print_event(f"pages     {pages}")
        await name_callback(self.servers.manifest, webhooks)
        self.print_event(f"webhooks  the partner has named {webhooks} as its app's callback")
        self.show_pages(pages)
        self.worker, _ = await asyncio.gather(self.servers.start_worker("worker-1"), self.servers.cutover("deploy"))
        self.print_event("prefect   deployments are registered, worker-1 is online")

    async def _import_fleet(self) -> None:
        inventory = write_home(self.servers.home, self.servers.manifest)
        await self.servers.cutover("init")
        await self.servers.cutover("import", str(inventory))
        await self.servers.cutover("plan", WAVE, "--codes", "at-once")  # the demo plays a person at every phone
        self.print_event("import    both sides of every number were read, a way was chosen for each")

    # -- the move

    async def _move(self, app: App, sandbox: SandboxControl, prefect: PrefectApi) -> None:
        codes = CodeEntry(app, sandbox, prefect)
        async with asyncio.timeout(MOVE_WITHIN_S):
            await self._start_wave(app, prefect)
            while True:
                board = await app.queries.positions.board()
                for line in await codes.enter_arrived(board):
                    self.print_event(f"code      {line}")
                await self._switch_refused(board, prefect)
                if not self.killed and await self._is_moment_to_kill(board, sandbox):
                    await self._kill_worker(app, sandbox, prefect)
                    codes.form_open = True
                elif await self._is_over(app, prefect):
                    return
                await asyncio.sleep(POLL_S if self.killed else POLL_BEFORE_KILL_S)

    async def _start_wave(self, app: App, prefect: PrefectApi) -> None:
        parts = part_count((await app.queries.waves.get(WAVE)).numbers)
        self.wave_runs = [
            await prefect.start(RUN_WAVE, {"wave": WAVE, "part": part, "parts": parts}) for part in range(parts)
        ]
        self.print_event(f"wave      {WAVE} is started in {parts} Prefect runs")

    async def _switch_refused(self, board: Sequence[Position], prefect: PrefectApi) -> None:
        """As an operator does: another itinerary for a number whose code is refused while it is on On-Premises."""
        for position in board:
            if self._needs_switch(position):
                parameters = {"number": position.ref, "itinerary": "CODE_AFTER"}
                self.switch_runs[position.ref] = await prefect.start("migrate-number/migrate-number", parameters)
                choice = f"{position.ref} goes by CODE_AFTER, chosen in Prefect's form"
                self.print_event(f"operator  {choice}: its code was refused")

    def _needs_switch(self, position: Position) -> bool:
        is_refused = position.status is Status.BLOCKED and position.runbook == CODE_REFUSED
        return is_refused and position.ref not in self.switch_runs

    async def _is_moment_to_kill(self, board: Sequence[Position], sandbox: SandboxControl) -> bool:
        """Some numbers have moved, one is at `register`, and some have not crossed yet."""
        at_register = any(position.next_step == "register" and position.status is Status.RUNNING for position in board)
        not_crossed = any(position.ended_at is None and position.crossed_at is None for position in board)
        if not at_register or not not_crossed:
            return False
        moved = [call for call in await sandbox.calls() if call["call"] == "register" and call["effect"]]
        return len(moved) >= min(MOVED_BEFORE_KILL, max(len(self.before) // FLEET_PER_MOVED, 1))

    async def _kill_worker(self, app: App, sandbox: SandboxControl, prefect: PrefectApi) -> None:
        assert self.worker is not None
        processes = len(self.worker.running_pids())
        self.worker.kill()
        self.killed += 1
        self.switch_runs.clear()  # their runs may have died with the worker; numbers still blocked get new ones
        across = sum(1 for number in await sandbox.numbers() if number["registered"])
        board = await app.queries.positions.board()
        at_register = sum(1 for position in board if position.next_step == "register")
        numbers = f"{across} numbers are across, {at_register} are at it"
        self.print_event(f"SIGKILL   worker-1 and its runs, {processes} processes; {numbers}")
        self.worker = await self.servers.start_worker("worker-2")
        self.print_event("prefect   worker-2 is online; leases of the dead run out before anybody else may act")
        await self._start_wave(app, prefect)

    async def _is_over(self, app: App, prefect: PrefectApi) -> bool:
        """Whether nothing runs, and nothing becomes due without a person. Starts a wave again whose runs have ended."""
        # A number stays blocked until the worker begins the run that switches it. So such a run has to end first, and
        # the board is read after its end.
        if not await self._have_ended(prefect, self.switch_runs.values()):
            return False
        board = await app.queries.positions.board()
        if any(self._needs_switch(position) for position in board):
            return False
        if all(position.ended_at is not None or position.status is Status.BLOCKED for position in board):
            return True
        if not await self._have_ended(prefect, self.wave_runs):
            return False
        if not await app.queries.due.due_by(await app.queries.now() + SOON):
            return not any(position.next_step == "verify_code" and position.ended_at is None for position in board)
        await self._start_wave(app, prefect)
        return False

    async def _have_ended(self, prefect: PrefectApi, run_ids: Iterable[str]) -> bool:
        return all([await prefect.has_ended(run_id) for run_id in run_ids])

    # -- after

    async def _prove(self, app: App, sandbox: SandboxControl) -> None:
        """A consumer writes to each moved number; what webhooks say of that, and of our messages, is waited for."""
        moved = [position for position in await app.queries.positions.board() if is_moved(position)]
        for position in moved:
            await sandbox.write_to(position.e164)
        for _ in range(round(PROVED_WITHIN_S / POLL_S)):
            await apply_webhooks(app)
            board = await app.queries.positions.board()
            proved = sum(sends(position) and receives(position) for position in board)
            if proved == len(moved):
                break
            await asyncio.sleep(POLL_S)
        self.print_event(f"proof     {proved} of {len(moved)} moved numbers have sent and received a message")

    async def _result(self, app: App, sandbox: SandboxControl) -> DemoResult:
        return DemoResult(
            before=self.before,
            after=await sandbox.numbers(),
            calls=await sandbox.calls(),
            board=await app.queries.positions.board(),
            without_migration=await app.queries.fleet.without_migration(),
            now=await app.queries.now(),
            killed=self.killed,
        )


def fleet_options(numbers: int | None) -> list[str]:
    """The options of the sandbox for a fleet of this size, or for the mixed fleet of the scenario `demo`."""
    if numbers is None:
        return ["--scenario", "demo"]
    switches = [word for switch in SWITCHES for word in ("--switch", switch)]
    return ["--numbers", str(numbers), "--kinds", KINDS, "--seed", "2026", *switches]
