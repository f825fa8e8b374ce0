"""A worker is killed while its stop command hangs, and a person decides before the command's time is over.

The command goes on without its worker and stops the client late, or never. Whatever was asked for, the number ends on a
side that serves it, and the record says which.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import pytest

from migration.app import App
from migration.clients.commands import LONGEST_S, CommandResult
from migration.errors import OperationRefused
from migration.operations.numbers import abort, dispose, recover_forward, retry_number
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from state.enums import Side, Status
from state.errors import StateError
from tests.harness.clock import FakeClock
from tests.harness.crash_point import Killed
from tests.harness.final_state import effective_calls, serving_sides
from tests.harness.in_process import Harness, MakeHarness

COLUMNS = {"hook": "senders", "start_command": "start"}


class ClockWithEvents(FakeClock):
    """Something of the world happens at a time, whoever sleeps then."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.events: list[tuple[float, Callable[[], object]]] = []

    def advance(self, seconds: float) -> None:
        end = self.boot_time() + seconds
        for at, happen in [event for event in self.events if event[0] <= end]:
            super().advance(at - self.boot_time())
            self.events.remove((at, happen))
            happen()
        super().advance(end - self.boot_time())


async def _abort(app: App, ref: str) -> None:
    await abort(app, ref, "customer left", "tester")


async def _dispose(app: App, ref: str) -> None:
    await dispose(app, ref, "churned", "customer left", "tester")


async def _recover(app: App, ref: str) -> None:
    await recover_forward(app, ref, "it has to come up", "tester")


async def _look_again(app: App, ref: str) -> None:
    await retry_number(app, ref, "looked at it", "tester")


async def _go_back(app: App, ref: str) -> None:
    await back_to_onprem(app, await read_rollback_assessment(app, ref), "tester")


REQUESTS: dict[str, Callable[[App, str], Awaitable[None]]] = {
    "abort": _abort,
    "dispose": _dispose,
    "recover forward": _recover,
    "look again": _look_again,
    "back to on-premises": _go_back,
}


async def kill_in_command(harness: Harness, stops_after_s: float | None) -> None:
    """The worker dies in the stop command, which stops the client so many seconds later."""
    clock = harness.clock
    assert isinstance(clock, ClockWithEvents)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **COLUMNS)
        position = await harness.advance_to(app, position, "deregister_onprem")
    assert position.instance is not None
    instance = position.instance.name

    async def hang(act: Callable[[str], bool]) -> CommandResult:
        if stops_after_s is not None:
            clock.events.append((clock.boot_time() + stops_after_s, lambda: act(instance)))
        raise Killed

    harness.instead_of_command[instance] = hang
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await app.runner.run_one(position.migration_id)
    harness.instead_of_command.clear()
    harness.dead.add(f"worker-{harness.workers}")


@pytest.mark.parametrize("stops_after_s", [None, 1.0, 20.0, LONGEST_S])
@pytest.mark.parametrize("request_name", REQUESTS)
async def test_what_a_person_decides_meanwhile_ends_on_a_side_that_serves(
    make_harness: MakeHarness, request_name: str, stops_after_s: float | None
) -> None:
    harness = await make_harness(kinds=["no_backup"], make_clock=ClockWithEvents)
    await kill_in_command(harness, stops_after_s)
    async with harness.worker() as app:
        with suppress(OperationRefused, StateError):  # refused with a reason; the number goes on as it was
            await REQUESTS[request_name](app, "N-0001")
        for _ in range(3):
            await harness.run_number(app, "N-0001")
            harness.clock.advance(90)
        after = await app.queries.positions.find("N-0001")
    assert not harness.clock.events  # type: ignore[attr-defined]
    sides = serving_sides(harness, after)
    assert len(sides) == 1, (after.status, after.side, after.next_step, after.reason, harness.mutations(after))
    if after.status in (Status.ABORTED, Status.SKIPPED, Status.DONE):
        assert [after.side.value] == sides
    else:
        assert after.side in (Side.UNKNOWN, Side(sides[0]))
        assert after.reason
    assert effective_calls(harness, after)["register"] <= 1
