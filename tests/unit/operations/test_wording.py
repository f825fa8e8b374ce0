"""Which runbook and which command come next for a number."""

from datetime import timedelta
from typing import Any

import pytest

from migration.operations.wording import next_command_after_show, reason_text, whose_move
from migration.steps.terms_statement import TERMS_UNKNOWN
from migration.waves.next_command import NO_COMMAND, acts_until, next_command, next_runbook
from state.enums import Party, Status, WaveState
from tests.harness.positions import NOW, make_position

LATER = NOW + timedelta(minutes=1)
BLOCKED = {"status": Status.BLOCKED, "runbook": "runbooks/wrong-pin.md"}
# Held because another number has failed.
FAILED_ELSEWHERE: dict[str, Any] = {
    "status": Status.HELD,
    "wave": "north",
    "wave_state": WaveState.RUNNING,
    "wave_released": "all",
    "held_for": "N-0005",
}
IN_CANARY_WAVE: dict[str, Any] = {
    "status": Status.HELD,
    "wave": "north",
    "wave_state": WaveState.RUNNING,
    "wave_canary_size": 1,
}
CASES: list[tuple[dict[str, Any], str | None, str]] = [
    (BLOCKED, "wrong-pin", "cutover runbook wrong-pin N-0001"),
    ({"status": Status.BLOCKED}, "refused", "cutover runbook refused N-0001"),
    ({"profile_halted_at": NOW}, "token-refused", "cutover runbook token-refused N-0001"),
    ({"profile_halted_at": NOW, "hold": True}, "token-refused", "cutover runbook token-refused N-0001"),
    ({"profile_halted_at": NOW, "status": Status.WAITING, "waiting_until": LATER}, None, "cutover show N-0001"),
    ({"profile_halted_at": NOW, "status": Status.WAITING}, "token-refused", "cutover runbook token-refused N-0001"),
    ({"status": Status.WAITING, "waiting_until": NOW}, None, "cutover sweep"),
    ({"status": Status.WAITING, "waiting_until": NOW, "next_step": "verify_code"}, None, "cutover sweep"),
    (
        {"status": Status.WAITING, "waiting_until": NOW, "wave": "n", "wave_state": "planned"},
        None,
        "cutover run N-0001",
    ),
    ({"profile_halted_at": NOW, "ended_at": NOW}, None, NO_COMMAND),
    (BLOCKED | {"ended_at": NOW}, None, NO_COMMAND),
    ({"status": Status.WAITING, "waiting_until": LATER, "next_step": "verify_code"}, None, "cutover enter-code N-0001"),
    ({"hold": True, "status": Status.HELD}, None, "cutover release N-0001"),
    ({"hold": True, "crossed_at": NOW}, None, "cutover run N-0001"),
    ({"wave": "north", "wave_state": WaveState.RUNNING, "wave_released": "all"}, None, "cutover run north"),
    ({"wave": "north", "wave_state": WaveState.HELD, "wave_released": "all"}, None, "cutover release north"),
    (
        {"status": Status.WAITING, "waiting_until": LATER, "reason": f"{TERMS_UNKNOWN}; ..."},
        None,
        'cutover resolve N-0001 --terms-accepted --because "NAME has looked"',
    ),
    (IN_CANARY_WAVE | {"wave_released": "none"}, None, "cutover release north --canary"),
    (IN_CANARY_WAVE | {"wave_released": "canary"}, None, "cutover release north"),
    (
        IN_CANARY_WAVE | {"wave_released": "canary", "wave_state": WaveState.HALTED},
        None,
        "cutover release north --canary",
    ),
    (IN_CANARY_WAVE | {"wave_released": "all", "wave_state": WaveState.HALTED}, None, "cutover release north"),
    (
        IN_CANARY_WAVE | {"wave_released": "none", "wave_state": WaveState.HALTED, "released_by_name": True},
        None,
        "cutover release north --only N-0001",
    ),
    (IN_CANARY_WAVE | {"wave_released": "none", "wave_canary_size": 0}, None, "cutover release north"),
    (FAILED_ELSEWHERE, None, "cutover show N-0005"),
    (FAILED_ELSEWHERE | {"wave": None}, None, "cutover show N-0005"),
    (FAILED_ELSEWHERE | {"held_for_page": "runbooks/terms.md"}, None, "cutover runbook terms N-0005"),
    (FAILED_ELSEWHERE | {"hold": True}, None, "cutover release N-0001"),
    (FAILED_ELSEWHERE | {"crossed_at": NOW}, None, "cutover run N-0001"),
    (FAILED_ELSEWHERE | {"wave_state": WaveState.HALTED}, None, "cutover release north"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(seconds=1)}, None, "cutover show N-0001"),
    ({"status": Status.RUNNING, "lease_until": NOW}, None, "cutover sweep"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(minutes=1)}, None, "cutover show N-0001"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(minutes=1), "worker_gone": True}, None, "cutover sweep"),
]


@pytest.mark.parametrize(("changes", "runbook", "command"), CASES)
def test_runbook_and_command(changes: dict[str, Any], runbook: str | None, command: str) -> None:
    position = make_position(**changes)
    assert (next_runbook(position, NOW), next_command(position, NOW)) == (runbook, command)


def test_a_wait_that_has_ended_is_ours_and_says_so() -> None:
    wait = {"status": Status.WAITING, "waiting_on": Party.META, "reason": "Meta lets it try again at 10:00"}
    over, running = make_position(**wait, waiting_until=NOW), make_position(**wait, waiting_until=LATER)
    assert (whose_move(over, NOW), reason_text(over, NOW)) == ("us", "its wait has ended; nobody is working on it")
    assert (whose_move(running, NOW), reason_text(running, NOW)) == ("Meta", "Meta lets it try again at 10:00")


@pytest.mark.parametrize("changes", [changes for changes, _, _ in CASES])
def test_show_never_names_itself(changes: dict[str, Any]) -> None:
    assert not next_command_after_show(make_position(**changes), NOW).startswith("cutover show")


@pytest.mark.parametrize("status", [Status.READY, Status.RUNNING])
def test_a_reason_does_not_outlive_its_wait(status: Status) -> None:
    assert reason_text(make_position(status=status, reason="wave north is held", lease_until=LATER), NOW) is None


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"status": Status.WAITING, "waiting_until": LATER}, LATER),
        ({"status": Status.WAITING, "waiting_until": NOW}, None),
        ({"status": Status.HELD, "waiting_until": LATER}, None),  # then it is looked at again, and nothing ends
    ],
)
def test_only_a_wait_ahead_has_an_end(changes: dict[str, Any], until: Any) -> None:
    assert acts_until(make_position(**changes), NOW) == until
