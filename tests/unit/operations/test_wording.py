"""Which runbook and which command come next for a number."""

from datetime import timedelta
from typing import Any

import pytest

from migration.operations.wording import NO_COMMAND, next_command, next_runbook
from state.enums import Status, WaveState
from tests.harness.positions import NOW, make_position

BLOCKED = {"status": Status.BLOCKED, "runbook": "runbooks/wrong-pin.md"}
CASES: list[tuple[dict[str, Any], str | None, str]] = [
    (BLOCKED, "wrong-pin", "cutover runbook wrong-pin N-0001"),
    ({"status": Status.BLOCKED}, "refused", "cutover runbook refused N-0001"),
    ({"profile_halted_at": NOW}, "token-refused", "cutover runbook token-refused N-0001"),
    ({"profile_halted_at": NOW, "hold": True}, "token-refused", "cutover runbook token-refused N-0001"),
    ({"profile_halted_at": NOW, "status": Status.WAITING}, None, "cutover show N-0001"),
    ({"profile_halted_at": NOW, "ended_at": NOW}, None, NO_COMMAND),
    (BLOCKED | {"ended_at": NOW}, None, NO_COMMAND),
    ({"status": Status.WAITING, "next_step": "verify_code"}, None, "cutover enter-code N-0001"),
    ({"hold": True, "status": Status.HELD}, None, "cutover release N-0001"),
    ({"hold": True, "crossed_at": NOW}, None, "cutover run N-0001"),
    ({"wave": "north", "wave_state": WaveState.RUNNING, "wave_released": "all"}, None, "cutover run north"),
    ({"wave": "north", "wave_state": WaveState.HELD, "wave_released": "all"}, None, "cutover release north"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(seconds=1)}, None, "cutover show N-0001"),
    ({"status": Status.RUNNING, "lease_until": NOW}, None, "cutover sweep"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(minutes=1)}, None, "cutover show N-0001"),
    ({"status": Status.RUNNING, "lease_until": NOW + timedelta(minutes=1), "worker_gone": True}, None, "cutover sweep"),
]


@pytest.mark.parametrize(("changes", "runbook", "command"), CASES)
def test_runbook_and_command(changes: dict[str, Any], runbook: str | None, command: str) -> None:
    position = make_position(**changes)
    assert (next_runbook(position, NOW), next_command(position, NOW)) == (runbook, command)
