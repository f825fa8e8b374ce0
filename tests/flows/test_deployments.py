"""The deployments and schedules that a Prefect server gets, as data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel

from flows.automations import sweep_after_lost_runs
from flows.deployments import FLOWS, prefect_yaml, write_prefect_file
from migration.waves.schedule import ScheduledRun, late_runs, part_count, scheduled_runs
from state.enums import WaveState
from state.rows import WaveRow

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
WAVE = WaveRow(
    id=3,
    name="Night, one",
    state=WaveState.PLANNED,
    released="all",
    window_start=NOW + timedelta(hours=2),
    window_end=None,
    time_zone="America/Sao_Paulo",
    canary_size=0,
    concurrency=10,
    halt_count=None,
    halt_share=None,
    because=None,
    numbers=30,
)


class WaveNumber:
    """A number of a wave, with the attributes that schedules read."""

    def __init__(self, wave: str, ended: datetime | None = None) -> None:
        self.wave = wave
        self.ended_at = ended


def deployment_of(flow: str, planned: tuple[ScheduledRun, ...] = ()) -> dict[str, Any]:
    entrypoint = FLOWS[flow][0]
    return next(
        deployment for deployment in prefect_yaml(planned)["deployments"] if deployment["entrypoint"] == entrypoint
    )


WAITS = {"limit": 10, "collision_strategy": "ENQUEUE"}
LIMITS = {
    "migrate-number": WAITS,
    "run-wave": None,
    "sweep": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
    "enter-code": None,
    "back-to-onprem": WAITS,
    "preflight": {"limit": 1, "collision_strategy": "ENQUEUE"},
    "hold": None,
    "release": None,
    "stop-wave": None,
}


@pytest.mark.parametrize("flow", FLOWS)
def test_the_concurrency_limit_of_each_flow(flow: str) -> None:
    assert deployment_of(flow).get("concurrency_limit") == LIMITS[flow]


def test_only_sweep_has_a_schedule_without_a_wave() -> None:
    assert deployment_of("sweep")["schedules"] == [{"interval": 60, "slug": "sweep"}]
    assert [flow for flow in FLOWS if deployment_of(flow)["schedules"]] == ["sweep"]


def test_no_environment_variable_is_written(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_MASTER_KEY", "a-key-that-must-not-be-there")
    text = write_prefect_file((), tmp_path).read_text()
    assert "CUTOVER_" not in text
    assert "a-key" not in text
    assert all(deployment["work_pool"]["job_variables"] == {} for deployment in yaml.safe_load(text)["deployments"])


def test_prefect_can_parse_the_file(tmp_path: Any) -> None:
    planned = scheduled_runs([WAVE], [WaveNumber(WAVE.name)], NOW)  # type: ignore[list-item]
    parsed = PrefectYamlModel.model_validate(yaml.safe_load(write_prefect_file(planned, tmp_path).read_text()))
    assert [deployment.entrypoint for deployment in parsed.deployments] == [
        entrypoint for entrypoint, _ in FLOWS.values()
    ]
    assert parsed.pull == []


def test_a_wave_is_scheduled_in_parts_in_utc_with_its_own_time_in_the_name() -> None:
    planned = scheduled_runs([WAVE], [WaveNumber(WAVE.name)], NOW)  # type: ignore[list-item]
    schedules = deployment_of("run-wave", planned)["schedules"]
    assert [schedule["parameters"] for schedule in schedules] == [
        {"wave": "Night, one", "part": 0, "parts": 2},
        {"wave": "Night, one", "part": 1, "parts": 2},
    ]
    assert {schedule["timezone"] for schedule in schedules} == {"UTC"}
    assert all("DTSTART:20261123T220000" in schedule["rrule"] for schedule in schedules)
    assert [schedule["slug"] for schedule in schedules] == [
        "wave-3-part-0-2026-11-23-1900-America-Sao_Paulo",
        "wave-3-part-1-2026-11-23-1900-America-Sao_Paulo",
    ]


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        (WAVE.window_start, WAVE.time_zone),
        # Clocks are set back: both moments are 01:30 local time; on Lord Howe, by half an hour, both are 01:45.
        (datetime(2027, 11, 7, 5, 30, tzinfo=UTC), "America/New_York"),
        (datetime(2027, 11, 7, 6, 30, tzinfo=UTC), "America/New_York"),
        (datetime(2027, 4, 3, 14, 45, tzinfo=UTC), "Australia/Lord_Howe"),
        (datetime(2027, 4, 3, 15, 15, tzinfo=UTC), "Australia/Lord_Howe"),
        # Clocks are set forward: the minute after.
        (datetime(2027, 3, 14, 7, 0, tzinfo=UTC), "America/New_York"),
    ],
    ids=str,
)
def test_prefect_computes_the_same_moment(start: datetime, zone: str) -> None:
    from prefect.server.schemas.schedules import RRuleSchedule

    wave = replace(WAVE, window_start=start, time_zone=zone)
    planned = scheduled_runs([wave], [WaveNumber(WAVE.name)], NOW)  # type: ignore[list-item]
    run_schedule = deployment_of("run-wave", planned)["schedules"][0]
    schedule = RRuleSchedule(rrule=run_schedule["rrule"], timezone=run_schedule["timezone"])
    assert run_schedule["timezone"] == "UTC"
    assert [moment.astimezone(UTC) for moment in schedule.to_rrule()] == [start]


OPEN = {"window_start": NOW - timedelta(minutes=1)}


@pytest.mark.parametrize("end", [None, NOW + timedelta(hours=1)])
@pytest.mark.parametrize("state", [WaveState.PLANNED, WaveState.RUNNING])
def test_a_wave_that_is_found_late_in_its_window_is_run(end: datetime | None, state: WaveState) -> None:
    wave = replace(WAVE, window_start=NOW - timedelta(minutes=1), window_end=end, state=state)
    late = late_runs([wave], [WaveNumber(WAVE.name)], NOW)  # type: ignore[list-item]
    assert [(run.wave, run.part, run.parts) for run in late] == [("Night, one", 0, 2), ("Night, one", 1, 2)]


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        ({}, [WaveNumber(WAVE.name)]),
        (OPEN | {"window_end": NOW}, [WaveNumber(WAVE.name)]),
        (OPEN | {"state": WaveState.HALTED}, [WaveNumber(WAVE.name)]),
        (OPEN | {"state": WaveState.HELD}, [WaveNumber(WAVE.name)]),
        (OPEN | {"state": WaveState.STOPPED}, [WaveNumber(WAVE.name)]),
        (OPEN, [WaveNumber(WAVE.name, NOW)]),
        ({"window_start": None}, [WaveNumber(WAVE.name)]),
    ],
    ids=["still to come", "over", "halted", "held", "stopped", "its numbers have ended", "no start"],
)
def test_no_other_wave_is_run_by_a_deploy(change: dict[str, Any], numbers: list[WaveNumber]) -> None:
    assert late_runs([replace(WAVE, **change)], numbers, NOW) == ()  # type: ignore[arg-type]


def test_each_deployment_is_named_after_what_it_does() -> None:
    names = [deployment["name"] for deployment in prefect_yaml(())["deployments"]]
    assert names == list(FLOWS)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        ({"state": WaveState.DONE}, [WaveNumber(WAVE.name)]),
        ({"state": WaveState.HELD}, [WaveNumber(WAVE.name)]),
        ({"state": WaveState.STOPPED}, [WaveNumber(WAVE.name)]),
        ({"window_start": None}, [WaveNumber(WAVE.name)]),
        ({"window_start": NOW - timedelta(minutes=1)}, [WaveNumber(WAVE.name)]),
        ({}, [WaveNumber(WAVE.name, NOW)]),
        ({}, [WaveNumber("another")]),
    ],
)
def test_a_wave_that_needs_no_run_has_no_schedule(change: dict[str, Any], numbers: list[WaveNumber]) -> None:
    assert scheduled_runs([replace(WAVE, **change)], numbers, NOW) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(("numbers", "parts"), [(1, 1), (20, 1), (21, 2), (300, 2), (301, 3), (500, 4), (10_000, 67)])
def test_the_number_of_parts(numbers: int, parts: int) -> None:
    assert part_count(numbers) == parts


def test_a_late_sweep_starts_no_sweep() -> None:
    ids = {flow: uuid4() for flow in FLOWS}
    automation = sweep_after_lost_runs(ids)
    watched = automation.trigger.match_related.root["prefect.resource.id"]  # type: ignore[union-attr]
    assert set(watched) == {f"prefect.deployment.{key}" for flow, key in ids.items() if flow != "sweep"}
    (action,) = automation.actions
    assert action.deployment_id == ids["sweep"]  # type: ignore[union-attr]
