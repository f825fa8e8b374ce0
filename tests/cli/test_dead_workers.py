"""A worker that was killed turns nobody away: neither what a person types, nor what screens say is delayed by it."""

from datetime import timedelta

import pytest

from migration.app import App
from state.enums import Side, Status
from tests.cli.side_effects import MakeOperator
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.operator import Operator

ABORT = ("abort", "N-0001", "--because", "left", "--confirm", "N-0001")
HOOK = {"hook": "senders", "start_command": "start"}


class AtStep(CrashPoint):
    """Kills the worker before or after the call of one step, whichever calls came before it."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.when = when
        self.armed = False

    def sending(self) -> None:
        if self.armed and self.when == "before":
            self.crash()

    def sent(self) -> None:
        if self.armed and self.when == "after":
            self.crash()


def _kill(operator: Operator, when: str, step: str) -> str:
    """Run the number with a worker that is killed before or after the call of that step. Gives the worker's name."""
    point = operator.harness.crash_point = AtStep(when)

    async def run(app: App) -> None:
        while True:
            point.armed = (await app.queries.positions.get(1)).next_step == step
            await app.runner.wait(await app.runner.run_step(1))

    with pytest.raises(Killed):
        operator.with_app(run)
    operator.harness.crash_point = CrashPoint()
    return f"worker-{operator.harness.workers}"


def _sent(operator: Operator) -> list[str]:
    return [call.call for call in operator.harness.sandbox.world.calls if call.write]


STEPS = {"secure_pin": "two_step_pin", "pause_sends": "pause_sends", "register": "register"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["secure_pin", "pause_sends", "register"])
def test_an_abort_settles_the_call_that_a_killed_worker_left_open(
    make_operator: MakeOperator, when: str, step: str
) -> None:
    """The side that it ends on is the true one, the call is not made again, and senders go on."""
    operator = make_operator()
    operator.import_numbers(**HOOK)
    operator.harness.dead.add(_kill(operator, when, step))
    before = _sent(operator).count(STEPS[step])
    began = operator.harness.clock.now()
    output = operator.cutover(*ABORT)
    waited = (operator.harness.clock.now() - began).total_seconds()
    number = operator.sandbox_number()
    assert _sent(operator).count(STEPS[step]) == before
    if (when, step) == ("after", "register"):
        assert output.exit_code == 1
        assert "point of no return" in output.error_line
        assert operator.position().side is Side.CLOUD
        return
    assert output.exit_code == 0, output.stderr
    assert operator.position().status is Status.ABORTED
    assert number.sender.running
    assert number.side == "on_premises"
    assert f"waits: {step} of N-0001" in output.stdout
    assert waited <= 120


DECISIONS = [
    ("--dispose", "churned", "--confirm", "N-0001"),
    ("--switch", "CODE_FIRST"),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["secure_pin", "pause_sends"])
@pytest.mark.parametrize("decision", DECISIONS, ids=" ".join)
def test_a_decision_settles_the_call_that_a_killed_worker_left_open(
    make_operator: MakeOperator, when: str, step: str, decision: tuple[str, ...]
) -> None:
    """It was refused, with the advice to run the number: that would have moved it."""
    operator = make_operator()
    operator.import_numbers(**HOOK)
    operator.harness.dead.add(_kill(operator, when, step))
    before = _sent(operator).count(STEPS[step])
    output = operator.cutover("resolve", "N-0001", *decision, "--because", "customer left")
    assert output.exit_code == 0, output.stderr
    assert f"waits: {step} of N-0001" in output.stdout
    assert _sent(operator).count(STEPS[step]) == before
    assert operator.sandbox_number().side == "on_premises"
    if "--dispose" in decision:
        assert operator.position().status is Status.SKIPPED
        assert operator.sandbox_number().sender.running
    else:
        assert operator.position().itinerary == "CODE_FIRST"


REFUSED_BY_A_LEASE = [
    ABORT,
    ("abort", "N-0001", "--because", "left", "--dry-run"),
    ("resolve", "N-0001", "--dispose", "churned", "--because", "left", "--confirm", "N-0001"),
    ("resolve", "N-0001", "--spend-reserve", "--because", "sure"),
    ("resolve", "N-0001", "--switch", "CODE_FIRST", "--because", "no backup"),
    ("resolve", "N-0001", "--two-step-off", "--because", "owner"),
]


@pytest.mark.parametrize("verb", REFUSED_BY_A_LEASE, ids=" ".join)
def test_what_a_person_types_is_not_refused_for_a_dead_worker(
    make_operator: MakeOperator, verb: tuple[str, ...]
) -> None:
    operator = make_operator()
    operator.import_numbers()

    async def take(app: App) -> None:
        await app.ledger.leases.acquire(1, app.holder, timedelta(minutes=1))

    operator.with_app(take)
    holder = f"worker-{operator.harness.workers}"
    refused = operator.cutover(*verb)
    assert refused.exit_code == 11
    assert f"N-0001 is held by another worker ({holder}) until it waits or has ended; if that" in refused.error_line
    until = operator.harness.clock.now() + timedelta(minutes=1)
    assert refused.error_line.split("is lost, until ")[1].startswith(f"{until:%Y-%m-%d %H:%M}")
    operator.harness.dead.add(holder)
    assert operator.cutover(*verb).exit_code == 0


@pytest.mark.parametrize("dead", [True, False])
def test_screens_say_at_once_that_nobody_is_working_on_a_number(make_operator: MakeOperator, dead: bool) -> None:
    operator = make_operator()
    operator.import_numbers()
    holder = _kill(operator, "after", "register")
    if dead:
        operator.harness.dead.add(holder)
    (row,) = operator.cutover("status", "--json").document["numbers"]
    shown = operator.cutover("show", "N-0001", "--json").document
    expected = ("ready", "cutover sweep") if dead else ("running", "cutover show N-0001")
    assert (row["status"], row["next_command"]) == expected
    assert (shown["status"], shown["next_command"]) == (expected if dead else ("running", "-"))  # not itself
    text = operator.cutover("show", "N-0001").stdout
    assert ("nobody is working on it" in text) is dead
    assert ("nobody is working on it" in (row["reason"] or "")) is dead
    assert operator.cutover("sweep", "--dry-run", "--json").document["due"] == (1 if dead else 0)
