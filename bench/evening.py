"""An evening of 200 numbers that need a code: 3 operators, customers' rooms and a gateway, on a simulated clock.

Beside it the same evening as it is done today, simulated: a loop in a shell asks for the codes, and operators call the
customers and write into a spreadsheet. Both have the same people: as many codes are mistyped, read out too late or
lost. The assumptions about people are the constants below; the far side is the sandbox.
"""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bench.sizes import scaled
from bench.table import Row
from migration.app import App
from migration.operations import customer_rooms
from migration.operations.at_the_phone import NextCode, ask_code
from migration.operations.received_codes import CodeVerdict, code_outcome, take_code
from migration.operations.waves import begin_wave, plan_wave
from migration.steps.outcomes import Blocked
from migration.waves.plan import WaveRule
from state import schema
from state.enums import Side
from state.ledger.waves import NewWave
from state.rows import Position
from tests.harness.in_process import Harness, build_harness
from tests.harness.shared_clock import SharedClock

LIMIT = """People, not the program: an operator-hour is calls and waiting for a message. Rooms and the gateway need no
operator at all, so their share decides. Every figure is from the sandbox and from assumed people."""
NUMBERS, OPERATORS, SEED = 200, 3, 11
WRONG, LATE, LOST = 0.10, 0.05, 0.05  # shares of the numbers
IN_ROOM, BY_GATEWAY = 0.4, 0.2  # the others are called by an operator
REACH_S, READ_S, TYPE_S = (40, 120), (10, 40), 8  # until the customer is at the phone; reads the message; typing
GIVES_UP_S, LATE_S = 90, 720  # waits for a message; comes back with the code after its end
SLIPS = 0.02  # share of codes that an operator types under another number first
SHELL_S, NOTE_S, BATCHES = 20, 20, range(1, 11)  # today: a command; a line of the spreadsheet; codes asked for together
LIVES_S, LOCKED_AFTER = (
    600,
    3,
)  # of a code; requests of one number within minutes, after which Meta takes none for a day
WORKER_LOOKS_S = 2.0
GREETINGS = ("Your WhatsApp Business code: {}", "رمزك: {} لا تشاركه", "Seu código: {}. Não o compartilhe.")


@dataclass
class Evening:
    """What came of it."""

    numbers: int
    first_code: int = 0
    on_cloud: int = 0
    crossed: int = 0  # numbers that moved without a code of their own phone
    failed_runs: int = 0
    busy_s: float = 0.0  # of all operators together
    lasted_s: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)

    def per_operator_hour(self) -> float:
        return self.on_cloud / (self.busy_s / 3600) if self.busy_s else 0.0

    def rows(self, name: str) -> Iterator[Row]:
        ours = name == "cutover"
        share = f"{self.first_code / self.numbers:.0%} of {self.numbers}"
        yield Row(f"{name}: moved with the first code that was asked for", share)
        yield Row(f"{name}: numbers an operator-hour", f"{self.per_operator_hour():.1f}")
        yield Row(f"{name}: until the last one", f"{self.lasted_s / 3600:.1f} h")
        lost = self.numbers - self.on_cloud
        yield Row(f"{name}: not moved that evening", str(lost), "0" if ours else "", lost == 0 or not ours)
        if ours:
            yield Row("cutover: codes given to another number", str(self.crossed), "0", self.crossed == 0)
            yield Row("cutover: failed runs", str(self.failed_runs), "0", self.failed_runs == 0)


def run() -> Iterator[Row]:
    numbers = scaled(NUMBERS)
    with tempfile.TemporaryDirectory() as folder:
        ours = asyncio.run(evening(Path(folder), numbers))
    yield from ours.rows("cutover")
    yield from todays_way(numbers).rows("shell and spreadsheet")


def troubles(numbers: int, dice: random.Random) -> list[str]:
    """For each number what goes wrong with its first code: wrong, late, lost or nothing."""
    some = [
        name
        for name, share in (("wrong", WRONG), ("late", LATE), ("lost", LOST))
        for _ in range(round(share * numbers))
    ]
    places = some + [""] * (numbers - len(some))
    dice.shuffle(places)
    return places


# -- with cutover


async def evening(folder: Path, numbers: int, seed: int = SEED) -> Evening:
    """All of it in this process: product, sandbox, people."""
    url = f"sqlite+aiosqlite:///{folder}/evening.db"
    await schema.upgrade(url)
    harness = await build_harness(folder, url, kinds=["no_backup"] * numbers, make_clock=SharedClock, seed=seed)
    harness.attended = False
    async with harness.worker() as app:
        return await _Acted(harness, app, numbers, random.Random(seed)).run()


class _Acted:
    """The people of the evening, and the worker."""

    def __init__(self, harness: Harness, app: App, numbers: int, dice: random.Random) -> None:
        assert isinstance(harness.clock, SharedClock)
        self.clock, self.harness, self.app, self.dice = harness.clock, harness, app, dice
        self.result = Evening(numbers)
        self.over = False
        self.board: list[Position] = []
        self.to_call: list[tuple[Position, str]] = []

    async def run(self) -> Evening:
        board = self.board = await self.harness.import_numbers(self.app)
        await plan_wave(self.app, NewWave("evening", concurrency=200), WaveRule(), None, "Ana")
        await begin_wave(self.app, "evening", "Ana")
        began = self.clock.now()
        places = troubles(len(board), self.dice)
        kinds = self.dice.choices(
            ("room", "gateway", "call"), (IN_ROOM, BY_GATEWAY, 1 - IN_ROOM - BY_GATEWAY), k=len(board)
        )
        work = [self._worker()]
        for position, trouble, kind in zip(board, places, kinds, strict=True):
            if trouble == "lost":
                self.harness.sandbox.world.number(position.e164).phone.lose = 1
            if kind == "call":
                self.to_call.append((position, trouble))
            else:
                work.append(self._alone(position, trouble, kind))
        work += [self._operator(f"operator {place + 1}") for place in range(OPERATORS)]
        with self.clock.running():
            people = [asyncio.create_task(one) for one in work]
        await asyncio.gather(*people[1:])
        self.over = True
        await people[0]
        self.result.lasted_s = (self.clock.now() - began).total_seconds()
        await self._judge()
        return self.result

    async def _worker(self) -> None:
        running: dict[int, asyncio.Task[Any]] = {}
        with self.clock.running():
            while True:
                for migration_id in await self.app.queries.due.due_now():
                    if migration_id not in running:
                        running[migration_id] = asyncio.create_task(self._move(migration_id))
                await self.clock.sleep(WORKER_LOOKS_S)
                running = {one: task for one, task in running.items() if not task.done()}
                if self.over and not running and not await self._some_left():
                    return

    async def _move(self, migration_id: int) -> None:
        with self.clock.running():
            outcome = await self.app.runner.run_one(migration_id)
        self.result.failed_runs += isinstance(outcome, Blocked)

    async def _some_left(self) -> bool:
        return bool(await self.app.queries.due.due_by(await self.app.queries.now() + timedelta(minutes=2)))

    # -- people

    async def _operator(self, name: str) -> None:
        with self.clock.running():
            while self.to_call:
                position, trouble = self.to_call.pop(0)
                began = self.clock.now()
                await self.clock.sleep(self.dice.uniform(*REACH_S))
                await ask_code(self.app, position.ref, how="desk", by=name)
                done = await self._read_out(position, trouble, "desk", name)
                self.result.busy_s += (self.clock.now() - began).total_seconds()
                if not done:  # somebody has to be called again
                    self.to_call.append((position, ""))

    async def _alone(self, position: Position, trouble: str, kind: str) -> None:
        """A customer in its room, or a phone whose messages a gateway forwards."""
        with self.clock.running():
            await self.clock.sleep(self.dice.uniform(0, 3600))
            if kind == "room":
                (link,) = await customer_rooms.make_links(self.app, [position], "https://rooms.test", "Ana")
                token = link.url.rpartition("/")[2]
                await customer_rooms.give_consent(self.app, token)
                await customer_rooms.send_code_now(self.app, token)
            else:
                token = ""
                await ask_code(self.app, position.ref, how="desk", by="gateway")
            while not await self._read_out(position, trouble, kind, token):
                trouble = ""
                if kind == "room":
                    await customer_rooms.send_code_now(self.app, token)
                else:
                    await ask_code(self.app, position.ref, how="desk", by="gateway")

    async def _read_out(self, position: Position, trouble: str, door: str, who: str) -> bool:
        """Wait for the message, read it, type it. False where the code has ended by then."""
        code = await self._message(position)
        if code is None:
            lost = NextCode(lost=True)
            if door == "room":
                await customer_rooms.send_code_now(self.app, who, lost)
            else:
                await ask_code(self.app, position.ref, how="desk", by=who, next_code=lost)
            code = await self._message(position, wait_s=300)
            if code is None:
                return False
        if trouble == "late":
            await self.clock.sleep(LATE_S)
        typed = _mistyped(code) if trouble == "wrong" else code
        for _ in range(4):
            await self.clock.sleep(self.dice.uniform(*READ_S) + TYPE_S)
            if door == "desk" and self.dice.random() < SLIPS:
                slip = await take_code(self.app, self.dice.choice(self.board).ref, SecretStr(typed), door=door, by=who)
                self._count(f"slip: {slip.verdict}")
            answer = await self._type(position, typed, door, who)
            self._count(answer)
            if answer == CodeVerdict.EXPIRED:
                return False
            if answer == CodeVerdict.ACCEPTED and await self._is_right(position):
                return True
            typed = code
            await self.clock.sleep(35 if door == "room" else 5)
        return False

    def _count(self, answer: str) -> None:
        self.result.answers[str(answer)] = self.result.answers.get(str(answer), 0) + 1

    async def _message(self, position: Position, wait_s: float = GIVES_UP_S) -> str | None:
        before = len(self.harness.sandbox.sms(position.e164))
        for _ in range(int(wait_s / 3)):
            await self.clock.sleep(3)
            codes = self.harness.sandbox.sms(position.e164)
            if len(codes) > before:
                return codes[-1]
        return None

    async def _type(self, position: Position, code: str, door: str, who: str) -> str:
        if door == "room":
            return (await customer_rooms.code_in_room(self.app, who, SecretStr(code))).verdict
        text = self.dice.choice(GREETINGS).format(f"{code[:3]}-{code[3:]}") if door == "gateway" else code
        named = position.e164 if door == "gateway" else position.ref
        return (await take_code(self.app, named, SecretStr(text), door=door, by=who or door)).verdict

    async def _is_right(self, position: Position) -> bool:
        """What Meta said of it; it is asked within seconds."""
        for _ in range(20):
            await self.clock.sleep(2)
            outcome = await code_outcome(self.app, position.ref)
            if outcome is not None:
                return outcome.accepted
        return False

    async def _judge(self) -> None:
        for position in await self.app.queries.positions.board():
            requests = await self.app.queries.people.code_requests(position.number_id)
            moved = position.side is Side.CLOUD
            self.result.on_cloud += moved
            self.result.first_code += moved and len(requests) == 1
            phone = self.harness.sandbox.world.number(position.e164).phone
            self.result.crossed += moved and not any(code.used for code in phone.codes)


def _mistyped(code: str) -> str:
    return code[:4] + code[5] + code[4] if code[4] != code[5] else f"{(int(code) + 1) % 1_000_000:06d}"


# -- as it is done today


def todays_way(numbers: int, seed: int = SEED) -> Evening:
    """With the size of a batch that serves it best."""
    return max((_by_hand(numbers, seed, batch) for batch in BATCHES), key=Evening.per_operator_hour)


def _by_hand(numbers: int, seed: int, batch_size: int) -> Evening:
    """Every number is called by an operator, after a loop has asked for a batch of codes. No program knows a limit."""
    dice = random.Random(seed)
    result, left = Evening(numbers), [(trouble, 0) for trouble in troubles(numbers, dice)]
    clocks = [0.0] * OPERATORS
    while left:
        who = clocks.index(min(clocks))
        batch, left = [(trouble, before + 1) for trouble, before in left[:batch_size]], left[batch_size:]
        asked_at = clocks[who] = clocks[who] + SHELL_S
        for trouble, requests in batch:
            clocks[who] += dice.uniform(*REACH_S) + NOTE_S
            if trouble == "lost":
                clocks[who] += GIVES_UP_S
            else:
                clocks[who] += dice.uniform(*READ_S) + TYPE_S + SHELL_S
            if trouble == "wrong":
                clocks[who] += dice.uniform(*READ_S) + TYPE_S + SHELL_S
            if trouble not in ("lost", "late") and clocks[who] - asked_at < LIVES_S:
                result.on_cloud += 1
                result.first_code += requests == 1
            elif requests < LOCKED_AFTER:
                left.append(("", requests))
    result.busy_s, result.lasted_s = sum(clocks), max(clocks)
    return result
