"""The Prefect state of each outcome: waiting is not failed, blocked is not completed."""

from datetime import UTC, datetime

import pytest
from prefect.client.schemas.objects import StateType

from flows.common import is_reference, prefect_state
from migration.engine.runner import Busy
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Reopen, Waiting
from state.enums import Party

LATER = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Advanced("register"), (StateType.COMPLETED, "Completed")),
        (Reopen("request_code", "expired"), (StateType.COMPLETED, "Completed")),
        (Waiting(LATER, Party.CUSTOMER, "the code"), (StateType.CANCELLED, "Waiting")),
        (Held("the wave is held"), (StateType.CANCELLED, "Held")),
        (Blocked("why", "runbooks/refused.md"), (StateType.FAILED, "Blocked")),
        (Busy("somebody is at it"), (StateType.CANCELLED, "Busy")),
    ],
)
def test_the_prefect_state_of_each_outcome(outcome: Outcome | Busy, expected: tuple[StateType, str]) -> None:
    state = prefect_state(outcome, "a message")
    assert (state.type, state.name) == expected
    assert state.message == "a message"


@pytest.mark.parametrize("text", ["N-0001", "N-12345"])
def test_a_reference_is_recognised(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("value", ["N-1", "n-0001", "+447700900123", "N-0001\n", "", None, 1])
def test_other_values_are_no_reference(value: object) -> None:
    assert not is_reference(value)
