"""An operator's request at every step of a scenario: rejected without any change, or accepted and run to its end."""

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
from tests.harness.copier import HarnessCopier
from tests.harness.crash_matrix import LANES, for_each_crash_point, run_until_crash
from tests.harness.final_state import Baseline, assert_ended_on_one_side, assert_one_next_command
from tests.harness.in_process import Harness
from tests.harness.scenarios import DAILY_SCENARIOS, Scenario, each_step


@dataclass(frozen=True)
class ExpectedEnd:
    """Where the number has to be when the accepted request has run to its end."""

    side: str
    left_cloud: bool = False


Expect = Callable[[Scenario, Harness, Position], ExpectedEnd | None]  # None: the request has to be rejected


@dataclass(frozen=True)
class OperatorRequest:
    """`scenarios`: those in which the request is accepted at some step; crashes are tried in these."""

    act: Callable[[App, str], Awaitable[object]]  # on the number with this reference
    expect: Expect  # when the request is made between two steps
    expect_mid_step: Expect  # when it is made after a worker was killed inside a step
    scenarios: list[str]


def whole_cases(scenarios: Iterable[str]) -> list[Any]:
    """Cases of (kind of database, scenario) without a crash."""
    cases = []
    for scenario in scenarios:
        marks = [] if scenario in DAILY_SCENARIOS else [pytest.mark.slow]
        cases.append(pytest.param("sqlite", scenario, id=f"sqlite-{scenario}", marks=marks))
        marks = [pytest.mark.postgres, pytest.mark.crash]
        cases.append(pytest.param("postgresql", scenario, id=f"postgresql-{scenario}", marks=marks))
    return cases


def crash_cases(scenarios: Iterable[str]) -> list[Any]:
    """Cases of (kind of database, scenario, lane).

    A lane has every crash point at every LANES-th step. The lane None has a few crash points at many steps.
    """
    cases = []
    for scenario in scenarios:
        if scenario in DAILY_SCENARIOS:
            marks = [] if scenario == DAILY_SCENARIOS[0] else [pytest.mark.slow]
            cases.append(pytest.param("sqlite", scenario, None, id=f"sqlite-{scenario}-thin", marks=marks))
        for kind in ("sqlite", "postgresql"):
            marks = [pytest.mark.crash, *([pytest.mark.postgres] if kind == "postgresql" else [])]
            cases += [pytest.param(kind, scenario, n, id=f"{kind}-{scenario}-{n}", marks=marks) for n in range(LANES)]
    return cases


async def interrupt_at_every_step(copier: HarnessCopier, scenario: Scenario, request: OperatorRequest) -> None:
    original = await scenario.build(copier)
    async for position in each_step(original, scenario):
        expected, baseline = request.expect(scenario, original, position), Baseline.now(original, position)
        async with copier.copy_of(original) as harness:
            if expected is None:
                await _assert_rejected(harness, baseline, request)
            else:
                async with harness.worker() as app:
                    await request.act(app, position.ref)
                    await _run_to_the_end(harness, app, position.ref)
                    await _assert_ended(harness, app, baseline, expected, f"requested at {_step(position)}")


async def interrupt_at_every_step_and_crash(
    copier: HarnessCopier, scenario: Scenario, request: OperatorRequest, crash_kind: str, lane: int | None
) -> None:
    original, steps = await scenario.build(copier), count()
    async for position in each_step(original, scenario):
        expected, baseline, step = (
            request.expect(scenario, original, position),
            Baseline.now(original, position),
            next(steps),
        )
        if expected is None or not _step_is_in_lane(step, lane, crash_kind):
            continue

        async def crash_at(nth: int, baseline: Baseline = baseline, expected: ExpectedEnd = expected) -> bool:
            async with copier.copy_of(original) as harness:
                return await _request_and_crash(harness, baseline, expected, request, crash_kind, nth)

        if lane is None and crash_kind == "at_commit":
            await crash_at(_spread_crash_point(step))
        else:
            await for_each_crash_point(0, crash_at, step=1)


def _step_is_in_lane(step: int, lane: int | None, crash_kind: str) -> bool:
    if lane is not None:
        return step % LANES == lane
    return step % 2 == 1 if crash_kind == "at_commit" else step in (6, 9)  # every other step; all sends of two steps


def _spread_crash_point(step: int) -> int:
    """A commit that most scenarios have. Neighbouring steps get commits that are far from one another."""
    return 1 + step * 7 % 23


async def interrupt_mid_step(
    copier: HarnessCopier, scenario: Scenario, request: OperatorRequest, crash_kind: str, lane: int | None
) -> None:
    """A worker is killed at work; then, before another one takes over, an operator makes the request."""
    original = await scenario.build(copier)
    first = await anext(each_step(original, scenario))

    async def crash_at(nth: int) -> bool:
        async with copier.copy_of(original) as harness:
            return await _crash_and_request(harness, scenario, first, request, crash_kind, nth)

    if lane is None:
        await for_each_crash_point(4, crash_at, step=24)
    else:
        await for_each_crash_point(lane, crash_at)


async def _crash_and_request(
    harness: Harness, scenario: Scenario, position: Position, request: OperatorRequest, crash_kind: str, nth: int
) -> bool:
    reached = await run_until_crash(harness, crash_kind, nth, lambda app: harness.run_number(app, position.ref))
    async with harness.worker() as app:
        position = await app.queries.positions.find(position.ref)
        await assert_one_next_command(app, position)
        if position.lease_until is not None:
            harness.clock.advance(max((position.lease_until - harness.clock.now()).total_seconds(), 0) + 0.1)
    baseline = Baseline.now(harness, position)
    where = f"requested at {_step(position)}, after a worker was killed {crash_kind} {nth}"
    expected = request.expect_mid_step(scenario, harness, position)
    try:
        async with harness.worker() as app:
            await request.act(app, position.ref)
    except (OperationRefused, StateError):
        await _assert_rejected(harness, baseline, request)
        expected = ExpectedEnd("cloud")  # the migration continues as it was
    assert expected is not None, where
    async with harness.worker() as app:
        await _run_to_the_end(harness, app, position.ref)
        await _assert_ended(harness, app, baseline, expected, where)
    return reached


async def _request_and_crash(
    harness: Harness, baseline: Baseline, expected: ExpectedEnd, request: OperatorRequest, crash_kind: str, nth: int
) -> bool:
    ref = baseline.position.ref

    async def act(app: App) -> None:
        await request.act(app, ref)
        await _run_to_the_end(harness, app, ref)

    reached = await run_until_crash(harness, crash_kind, nth, act)
    async with harness.worker() as app:
        position = await app.queries.positions.find(ref)
        await assert_one_next_command(app, position)
        if (position.migration_id, position.fence) == (baseline.position.migration_id, baseline.position.fence):
            await request.act(app, ref)  # killed before the request was recorded: the operator repeats it
        await _run_to_the_end(harness, app, ref)
        where = f"requested at {_step(baseline.position)}, killed {crash_kind} {nth}"
        await _assert_ended(harness, app, baseline, expected, where)
    return reached


async def _assert_rejected(harness: Harness, baseline: Baseline, request: OperatorRequest) -> None:
    """The request is rejected, and neither our record nor the sandbox changes."""
    async with harness.worker() as app:
        record = await _record_of(app, baseline.position.ref)
        try:
            await request.act(app, baseline.position.ref)
        except (OperationRefused, StateError):
            pass
        else:
            raise AssertionError(f"accepted at {_step(baseline.position)}")
        assert await _record_of(app, baseline.position.ref) == record
        position = await app.queries.positions.find(baseline.position.ref)
        await assert_one_next_command(app, position)
    writes = [call.call for call in harness.sandbox.world.log.since(baseline.calls) if call.write]
    assert (writes, harness.sandbox_number(position).side) == ([], baseline.side)


async def _record_of(app: App, ref: str) -> list[Any]:
    """Everything that our database has about a number."""
    position = await app.queries.positions.find(ref)
    rows: list[Any] = [position]
    for migration in await app.queries.positions.history(position.number_id):
        migration_id = migration.migration_id
        rows += [*await app.queries.records.events(migration_id), *await app.queries.records.attempts(migration_id)]
        rows += [await app.queries.records.findings(migration_id), await app.queries.records.outbox(migration_id)]
    return rows


async def _run_to_the_end(harness: Harness, app: App, ref: str) -> None:
    """Act as an operator does: enter codes, and do what the runbook of a blocked number says."""
    position = await app.queries.positions.find(ref)
    await app.runner.run_one(position.migration_id)
    await assert_one_next_command(app, await app.queries.positions.find(ref))  # before anybody enters a code
    for _ in range(4):
        await harness.run_number(app, ref)
        position = await app.queries.positions.find(ref)
        await assert_one_next_command(app, position)
        if position.ended_at is not None:
            return
        await _follow_runbook(app, position)
    raise AssertionError(f"{position.status} at {position.next_step} of {position.itinerary}: {position.reason}")


async def _follow_runbook(app: App, position: Position) -> None:
    assert position.status is Status.BLOCKED, (
        f"{position.status} at {position.next_step} of {position.itinerary}: {position.reason}"
    )
    assert position.runbook == "runbooks/dark-on-both-sides.md", (
        f"{position.runbook} at {position.next_step}: {position.reason}"
    )
    if position.side is Side.ON_PREMISES:
        await abort(app, position.ref, "it serves where it was", "tester")
    else:
        await recover_forward(app, position.ref, "it is on neither side", "tester")


async def _assert_ended(harness: Harness, app: App, baseline: Baseline, expected: ExpectedEnd, where: str) -> None:
    await assert_ended_on_one_side(
        harness, app, baseline, left_cloud=expected.left_cloud, side=expected.side, where=where
    )


def _step(position: Position) -> str:
    return f"{position.next_step or 'the end'} of {position.itinerary}"
