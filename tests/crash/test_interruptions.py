"""A worker is killed at every step of a scenario, before or after an operator requests something else."""

from typing import Any

import pytest

from tests.harness.copier import HarnessCopier
from tests.harness.crash_matrix import CRASH_KINDS
from tests.harness.interruptions import crash_cases, interrupt_at_every_step_and_crash, interrupt_mid_step
from tests.harness.operator_requests import REQUESTS
from tests.harness.scenarios import MID_STEP_SCENARIOS, SCENARIOS


def _cases(name: str, scenarios: list[str]) -> list[Any]:
    """Cases of (name of the request, kind of database, scenario, lane)."""
    return [
        pytest.param(name, *case.values, id=f"{name}-{case.id}", marks=case.marks) for case in crash_cases(scenarios)
    ]


@pytest.mark.parametrize("crash_kind", CRASH_KINDS)
@pytest.mark.parametrize(
    ("request_name", "kind", "scenario", "lane"),
    [case for name, request in REQUESTS.items() for case in _cases(name, request.scenarios)],
)
async def test_request_at_every_step_with_a_crash_ends_on_one_side(
    copier: HarnessCopier, request_name: str, scenario: str, crash_kind: str, lane: int | None
) -> None:
    request = REQUESTS[request_name]
    await interrupt_at_every_step_and_crash(copier, SCENARIOS[scenario], request, crash_kind, lane)


@pytest.mark.parametrize("crash_kind", CRASH_KINDS)
@pytest.mark.parametrize(
    ("request_name", "kind", "scenario", "lane"),
    [case for name in REQUESTS for case in _cases(name, list(MID_STEP_SCENARIOS))],
)
async def test_request_after_a_crash_inside_a_step_ends_on_one_side(
    copier: HarnessCopier, request_name: str, scenario: str, crash_kind: str, lane: int | None
) -> None:
    await interrupt_mid_step(copier, SCENARIOS[scenario], REQUESTS[request_name], crash_kind, lane)
