"""Abort, forward recovery and rollback, each requested at every step of every scenario."""

import pytest

from tests.harness.copier import HarnessCopier
from tests.harness.interruptions import interrupt_at_every_step, whole_cases
from tests.harness.operator_requests import REQUESTS
from tests.harness.scenarios import SCENARIOS


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize(("kind", "scenario"), whole_cases(SCENARIOS))
async def test_request_at_every_step_is_rejected_or_ends_on_one_side(
    copier: HarnessCopier, request_name: str, scenario: str
) -> None:
    await interrupt_at_every_step(copier, SCENARIOS[scenario], REQUESTS[request_name])
