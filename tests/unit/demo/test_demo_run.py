"""When the demo ends: not before the run that an operator started for a refused number has ended."""

from types import SimpleNamespace
from typing import Any

from migration.demo.demo_run import CODE_REFUSED, DemoRun
from state.enums import Status

REF = "N-0019"
SWITCH_RUN = "run-of-the-operator"
MOVED = SimpleNamespace(ref="N-0001", ended_at="2026-11-26", status=Status.DONE, runbook=None)
REFUSED = SimpleNamespace(ref=REF, ended_at=None, status=Status.BLOCKED, runbook=CODE_REFUSED)
ON_BUSINESS_APP = SimpleNamespace(
    ref="N-0024", ended_at=None, status=Status.BLOCKED, runbook="runbooks/business-app.md"
)


class PrefectWith:
    """Knows which runs have ended."""

    def __init__(self, *ended: str) -> None:
        self.ended = ended

    async def has_ended(self, run_id: str) -> bool:
        return run_id in self.ended


def app_with(*positions: Any) -> Any:
    async def board() -> tuple[Any, ...]:
        return positions

    return SimpleNamespace(queries=SimpleNamespace(positions=SimpleNamespace(board=board)))


async def is_over(app: Any, prefect: PrefectWith, switch_runs: dict[str, str]) -> bool:
    run = DemoRun(servers=None, print_event=lambda _: None, switch_runs=switch_runs)  # type: ignore[arg-type]
    return await run._is_over(app, prefect)  # type: ignore[arg-type]


async def test_the_run_that_an_operator_started_is_waited_for() -> None:
    """All other numbers may have ended by the time a worker begins it; the number is blocked until then."""
    assert not await is_over(app_with(MOVED, REFUSED), PrefectWith(), {REF: SWITCH_RUN})


async def test_a_refused_number_that_nobody_has_decided_about_is_waited_for() -> None:
    assert not await is_over(app_with(MOVED, REFUSED), PrefectWith(), {})


async def test_it_ends_with_a_number_that_stays_blocked_after_the_decision() -> None:
    assert await is_over(app_with(MOVED, REFUSED), PrefectWith(SWITCH_RUN), {REF: SWITCH_RUN})


async def test_it_ends_with_a_number_that_waits_for_a_person() -> None:
    assert await is_over(app_with(MOVED, ON_BUSINESS_APP), PrefectWith(), {})
