"""The course of the demo: prepare, move, kill a worker in the middle, go on, look at how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from migration.app import App, open_app
from migration.demo.code_entry import CodeEntry
from migration.demo.partner_files import WAVE, write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.report import DemoResult, Numbers
from migration.demo.sandbox_control import SandboxControl
from migration.demo.servers import DemoServers
from migration.runtime.process_tree import Child
from migration.waves.schedule import part_count
from state.enums import Status
from state.rows import Position

# Seconds. After a kill the leases of the dead worker run out first: up to 65 s for a `register` that was under way.
ENOUGH_S = 280
LOOK_EVERY_S = 0.4
# While waiting for the moment to kill, which is a call of at most two seconds in the demo's scenario.
WATCH_EVERY_S = 0.05
# A number that comes due within this time is waited for, not left to a person.
SOON = timedelta(minutes=3)
CODE_REFUSED = "runbooks/code-refused.md"
# Numbers that are across before the worker is killed.
ENOUGH_MOVED = 3
RUN_WAVE = "run-wave/cutover"
Say = Callable[[str], None]


@dataclass
class DemoRun:
    house: DemoServers
    say: Say
    killed: int = 0
    before: Numbers = ()
    runs: list[str] = field(default_factory=list)
    # Reference of a number whose code was refused -> the run that an operator started for it.
    decisions: dict[str, str] = field(default_factory=dict)
    worker: Child | None = None

    async def run(self) -> DemoResult:
        """All of it. Raises DidNotStart when a part does not come up."""
        await self._prepare()
        url = str(self.house.manifest["sandbox_url"])
        async with (
            SandboxControl(url) as oracle,
            PrefectApi(self.house.prefect_url) as prefect,
            open_app(self.house.settings) as app,
        ):
            await self._move(app, oracle, prefect)
            return await self._ending(app, oracle)

    # -- before

    async def _prepare(self) -> None:
        self.say(f"everything is under {self.house.folder}; every figure is from the sandbox")
        await self.house.start_sandbox("--scenario", "demo")
        async with SandboxControl(str(self.house.manifest["sandbox_url"])) as oracle:
            self.before = await oracle.numbers()
        self.say(f"sandbox   {self.house.graph_url}: {len(self.before)} numbers")
        await asyncio.gather(self.house.start_prefect(), self._take_in())
        self.say(f"prefect   {self.house.prefect_url}")
        self.worker, _ = await asyncio.gather(self.house.start_worker("worker-1"), self.house.cutover("deploy"))
        self.say("prefect   deployments are registered, worker-1 is online")

    async def _take_in(self) -> None:
        inventory = write_home(self.house.home, self.house.manifest)
        await self.house.cutover("init")
        await self.house.cutover("import", str(inventory))
        self.say("import    both sides of every number were read, a way was chosen for each")

    # -- the move

    async def _move(self, app: App, oracle: SandboxControl, prefect: PrefectApi) -> None:
        typist = CodeEntry(app, oracle, prefect)
        async with asyncio.timeout(ENOUGH_S):
            await self._run_wave(app, prefect)
            while True:
                board = await app.queries.positions.board()
                for said in await typist.look(board):
                    self.say(f"code      {said}")
                await self._decide(board, prefect)
                if not self.killed and await self._in_the_middle(board, oracle):
                    await self._kill(app, oracle, prefect)
                    typist.form_open = True
                elif await self._is_over(app, prefect):
                    return
                await asyncio.sleep(LOOK_EVERY_S if self.killed else WATCH_EVERY_S)

    async def _run_wave(self, app: App, prefect: PrefectApi) -> None:
        parts = part_count((await app.queries.waves.get(WAVE)).numbers)
        self.runs = [
            await prefect.start(RUN_WAVE, {"wave": WAVE, "part": part, "parts": parts}) for part in range(parts)
        ]
        self.say(f"wave      {WAVE} is started in {parts} Prefect runs")

    async def _decide(self, board: tuple[Position, ...], prefect: PrefectApi) -> None:
        """What an operator does about a number whose code is refused while it is On-Premises: another itinerary."""
        for at in board:
            if self._is_undecided(at):
                parameters = {"number": at.ref, "itinerary": "CODE_AFTER"}
                self.decisions[at.ref] = await prefect.start("migrate-number/cutover", parameters)
                self.say(f"operator  {at.ref} goes by CODE_AFTER, chosen in Prefect's form: its code was refused")

    def _is_undecided(self, position: Position) -> bool:
        refused = position.status is Status.BLOCKED and position.runbook == CODE_REFUSED
        return refused and position.ref not in self.decisions

    async def _in_the_middle(self, board: tuple[Position, ...], oracle: SandboxControl) -> bool:
        """Between the first and the last cutover, with one under way."""
        at_it = [at for at in board if at.next_step == "register" and at.status is Status.RUNNING]
        before_it = [at for at in board if at.ended_at is None and at.crossed_at is None]
        if not at_it or not before_it:
            return False
        done = [one for one in await oracle.calls() if one["call"] == "register" and one["effect"]]
        return len(done) >= ENOUGH_MOVED

    async def _kill(self, app: App, oracle: SandboxControl, prefect: PrefectApi) -> None:
        assert self.worker is not None
        family = len(self.worker.family())
        self.worker.kill()
        self.killed += 1
        self.decisions.clear()  # their runs may have died with the worker; a number still blocked gets a new one
        across = sum(1 for one in await oracle.numbers() if one["registered"])
        left = [at.ref for at in await app.queries.positions.board() if at.next_step == "register"]
        self.say(
            f"SIGKILL   worker-1 and its runs, {family} processes; {across} numbers are across, {len(left)} are at it"
        )
        self.worker = await self.house.start_worker("worker-2")
        self.say("prefect   worker-2 is online; leases of the dead run out before anybody else may act")
        await self._run_wave(app, prefect)

    async def _is_over(self, app: App, prefect: PrefectApi) -> bool:
        """Nothing runs, and nothing will come due without a person. A wave whose runs have ended early is run again."""
        # A number is blocked until the worker begins the run that an operator started for it: such a run is waited for,
        # and the board is read after its end.
        if not all([await prefect.has_ended(run) for run in self.decisions.values()]):
            return False
        board = await app.queries.positions.board()
        if any(self._is_undecided(position) for position in board):
            return False
        if all(at.ended_at is not None or at.status is Status.BLOCKED for at in board):
            return True
        if not all([await prefect.has_ended(run) for run in self.runs]):
            return False
        soon = await app.queries.due.due_by(await app.queries.now() + SOON)
        if not soon:
            return not any(at.next_step == "verify_code" and at.ended_at is None for at in board)
        await self._run_wave(app, prefect)
        return False

    # -- after

    async def _ending(self, app: App, oracle: SandboxControl) -> DemoResult:
        return DemoResult(
            before=self.before,
            after=await oracle.numbers(),
            calls=await oracle.calls(),
            board=await app.queries.positions.board(),
            adopted=await app.queries.fleet.without_migration(),
            now=await app.queries.now(),
            killed=self.killed,
        )
