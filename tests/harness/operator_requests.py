"""What an operator may request of a number at any moment, and how the number has to end then."""

from migration.app import App
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import abort, recover_forward
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from state.enums import Side
from state.rows import Position
from tests.harness.final_state import PROBED, effective_calls
from tests.harness.in_process import Harness
from tests.harness.interruptions import ExpectedEnd, OperatorRequest
from tests.harness.scenarios import SCENARIOS, Scenario


async def request_abort(app: App, ref: str) -> None:
    await abort(app, ref, "changed our minds", "tester")


def end_after_abort(scenario: Scenario, harness: Harness, position: Position) -> ExpectedEnd | None:
    """Rejected at the end, and between a call that cannot be undone and the reading that shows it undone."""
    earlier_calls = sum(call.at < position.created_at for call in harness.sandbox.world.calls)
    crossed = any(effective_calls(harness, position, earlier_calls)[call] for call in PROBED)
    origin = Side.CLOUD if position.itinerary == ItineraryName.BACK_TO_ONPREM else Side.ON_PREMISES
    if position.ended_at is not None or (crossed and position.side is not origin):
        return None
    return ExpectedEnd(harness.sandbox_number(position).side)


async def request_recovery(app: App, ref: str) -> None:
    await recover_forward(app, ref, "it has to come up", "tester")


def end_after_recovery(scenario: Scenario, harness: Harness, position: Position) -> ExpectedEnd | None:
    """A number that On-Premises serves stays there: its recovery stops, and the runbook leads to an abort."""
    if position.itinerary == ItineraryName.FORWARD_RECOVERY and position.ended_at is None:
        return None
    return ExpectedEnd("on_premises" if harness.sandbox_number(position).side == "on_premises" else "cloud")


async def request_rollback(app: App, ref: str) -> Position:
    return await back_to_onprem(app, await read_rollback_assessment(app, ref), "tester")


def end_after_rollback(scenario: Scenario, harness: Harness, position: Position) -> ExpectedEnd | None:
    return end_after_accepted_rollback(scenario, harness, position) if scenario.offers_rollback(position) else None


def end_after_accepted_rollback(scenario: Scenario, harness: Harness, position: Position) -> ExpectedEnd:
    """What was on Cloud comes forward again unless the world is open; what was only stopped is started again."""
    was_on_cloud = effective_calls(harness, position)["register"] > 0
    side = "cloud" if was_on_cloud and scenario.world != "open" else "on_premises"
    return ExpectedEnd(side, left_cloud=harness.sandbox_number(position).side == "cloud")


REQUESTS = {
    "abort": OperatorRequest(request_abort, end_after_abort, end_after_abort, list(SCENARIOS)),
    "recovery": OperatorRequest(request_recovery, end_after_recovery, end_after_recovery, list(SCENARIOS)),
    "rollback": OperatorRequest(
        request_rollback,
        end_after_rollback,
        end_after_accepted_rollback,
        [name for name, scenario in SCENARIOS.items() if scenario.rollback_from],
    ),
}
