"""Something asked for at every step of a tale: refused with nothing changed, or taken and brought to its end."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.numbers import abort, recover_forward
from state.enums import Side, Status
from state.errors import StateError
from state.rows import Position
from tests.harness.copier import Copies
from tests.harness.crash_points import LANES, at_every, struck
from tests.harness.final_state import Before, ended_on_one_side, one_next_action
from tests.harness.in_process import Rig
from tests.harness.scenarios import EVERY_DAY, Tale, each_step


@dataclass(frozen=True)
class Due:
    """What has to become of it when it is taken at this step."""

    side: str
    gone_back: bool = False


Ask = Callable[[App, str], Awaitable[object]]
Expect = Callable[[Tale, Rig, Position], Due | None]  # None: it has to be refused


def told_whole(tales: Iterable[str]) -> list[Any]:
    """Cases of (kind of database, tale) without a kill."""
    found = []
    for tale in tales:
        marks = [] if tale in EVERY_DAY else [pytest.mark.slow]
        found.append(pytest.param("sqlite", tale, id=f"sqlite-{tale}", marks=marks))
        marks = [pytest.mark.postgres, pytest.mark.crash]
        found.append(pytest.param("postgresql", tale, id=f"postgresql-{tale}", marks=marks))
    return found


def told_killed(tales: Iterable[str]) -> list[Any]:
    """Cases of (kind of database, tale, lane): all places at each step of a lane, or (None) some of all."""
    found = []
    for tale in tales:
        if tale in EVERY_DAY:
            marks = [] if tale == EVERY_DAY[0] else [pytest.mark.slow]
            found.append(pytest.param("sqlite", tale, None, id=f"sqlite-{tale}-thin", marks=marks))
        for kind in ("sqlite", "postgresql"):
            marks = [pytest.mark.crash, *([pytest.mark.postgres] if kind == "postgresql" else [])]
            found += [pytest.param(kind, tale, lane, id=f"{kind}-{tale}-{lane}", marks=marks) for lane in range(LANES)]
    return found


async def asked_at_every_step(copies: Copies, tale: Tale, ask: Ask, expect: Expect) -> None:
    rig = await tale.begun(copies)
    async for at in each_step(rig, tale):
        due, before = expect(tale, rig, at), Before.now(rig, at)
        async with copies.of(rig) as told:
            if due is None:
                await _refused(told, before, ask)
            else:
                async with told.worker() as app:
                    await ask(app, at.ref)
                    await _to_the_end(told, app, at.ref)
                    await _ended(told, app, before, due, f"asked at {_step(at)}")


async def asked_at_every_step_and_killed(
    copies: Copies, tale: Tale, ask: Ask, expect: Expect, kill: str, lane: int | None
) -> None:
    rig, steps = await tale.begun(copies), count()
    async for at in each_step(rig, tale):
        due, before, step = expect(tale, rig, at), Before.now(rig, at), next(steps)
        if due is None or not _is_its_turn(step, lane, kill):
            continue

        async def told(nth: int, before: Before = before, due: Due = due) -> bool:
            async with copies.of(rig) as copied:
                return await _killed(copied, before, due, ask, kill, nth)

        if lane is None and kill == "at_commit":
            await told(_another_place(step))
        else:
            await at_every(0, told, of=1)


def _is_its_turn(step: int, lane: int | None, kill: str) -> bool:
    if lane is not None:
        return step % LANES == lane
    return step % 2 == 1 if kill == "at_commit" else step in (6, 9)  # every other step; all sends of two


def _another_place(step: int) -> int:
    """One that most stories have; neighbours among the steps are killed far from one another."""
    return 1 + step * 7 % 23


async def asked_in_the_middle(copies: Copies, tale: Tale, ask: Ask, taken: Expect, kill: str, lane: int | None) -> None:
    """A worker was killed on the way, and instead of another one somebody comes who asks for something else."""
    rig = await tale.begun(copies)
    first = await anext(each_step(rig, tale))

    async def told(nth: int) -> bool:
        async with copies.of(rig) as copied:
            return await _in_the_middle(copied, tale, first, ask, taken, kill, nth)

    await (at_every(4, told, of=24) if lane is None else at_every(lane, told))


async def _in_the_middle(rig: Rig, tale: Tale, at: Position, ask: Ask, taken: Expect, kill: str, nth: int) -> bool:
    there_was = await struck(rig, kill, nth, lambda app: rig.drive(app, at.ref))
    async with rig.worker() as app:
        at = await app.queries.find(at.ref)
        await one_next_action(app, at)
        if at.lease_until is not None:
            rig.clock.advance(max((at.lease_until - rig.clock.now()).total_seconds(), 0) + 0.1)
    before, where = Before.now(rig, at), f"asked at {_step(at)}, after a worker was killed {kill} {nth}"
    due = taken(tale, rig, at)
    try:
        async with rig.worker() as app:
            await ask(app, at.ref)
    except (OperationRefused, StateError):
        await _refused(rig, before, ask)
        due = Due("cloud")  # it goes on as it was
    assert due is not None, where
    async with rig.worker() as app:
        await _to_the_end(rig, app, at.ref)
        await _ended(rig, app, before, due, where)
    return there_was


async def _killed(rig: Rig, before: Before, due: Due, ask: Ask, kill: str, nth: int) -> bool:
    ref = before.at.ref

    async def act(app: App) -> None:
        await ask(app, ref)
        await _to_the_end(rig, app, ref)

    there_was = await struck(rig, kill, nth, act)
    async with rig.worker() as app:
        at = await app.queries.find(ref)
        await one_next_action(app, at)
        if (at.migration_id, at.fence) == (before.at.migration_id, before.at.fence):
            await ask(app, ref)  # killed before it was on record: it is typed again
        await _to_the_end(rig, app, ref)
        await _ended(rig, app, before, due, f"asked at {_step(before.at)}, killed {kill} {nth}")
    return there_was


async def _refused(rig: Rig, before: Before, ask: Ask) -> None:
    async with rig.worker() as app:
        known = await _known(app, before.at.ref)
        try:
            await ask(app, before.at.ref)
        except (OperationRefused, StateError):
            pass
        else:
            raise AssertionError(f"taken at {_step(before.at)}")
        assert await _known(app, before.at.ref) == known
        at = await app.queries.find(before.at.ref)
        await one_next_action(app, at)
    sent = [call.call for call in rig.sandbox.world.log.since(before.calls) if call.write]
    assert (sent, rig.number(at).side) == ([], before.side)


async def _known(app: App, ref: str) -> list[Any]:
    """Everything on record of a number."""
    at = await app.queries.find(ref)
    rows: list[Any] = [at]
    for one in await app.queries.history(at.number_id):
        rows += [*await app.queries.events(one.migration_id), *await app.queries.attempts(one.migration_id)]
        rows += [await app.queries.findings(one.migration_id), await app.queries.outbox(one.migration_id)]
    return rows


async def _to_the_end(rig: Rig, app: App, ref: str) -> None:
    """As an operator goes on: codes are typed in, and what a page says is done."""
    at = await app.queries.find(ref)
    await app.runner.run_one(at.migration_id)
    await one_next_action(app, await app.queries.find(ref))  # before anybody types a code
    for _ in range(4):
        await rig.drive(app, ref)
        at = await app.queries.find(ref)
        await one_next_action(app, at)
        if at.ended_at is not None:
            return
        await _remedy(app, at)
    raise AssertionError(f"{at.status} at {at.next_step} of {at.itinerary}: {at.reason}")


async def _remedy(app: App, at: Position) -> None:
    assert at.status is Status.BLOCKED, f"{at.status} at {at.next_step} of {at.itinerary}: {at.reason}"
    assert at.runbook == "runbooks/dark-on-both-sides.md", f"{at.runbook} at {at.next_step}: {at.reason}"
    if at.side is Side.ON_PREMISES:
        await abort(app, at.ref, "it serves where it was", "tester")
    else:
        await recover_forward(app, at.ref, "it is on neither side", "tester")


async def _ended(rig: Rig, app: App, before: Before, due: Due, where: str) -> None:
    await ended_on_one_side(rig, app, before, gone_back=due.gone_back, side=due.side, where=where)


def _step(at: Position) -> str:
    return f"{at.next_step or 'the end'} of {at.itinerary}"
