"""What tests read of a real Prefect server's runs and schedules."""

from typing import Any

from migration.demo.prefect_api import PrefectApi


async def last_event_is_stored(api: PrefectApi, run: dict[str, Any]) -> bool:
    """Whether Prefect has written the event of the run's last state, and so every earlier event of the run.

    Prefect writes its event log in batches, up to five seconds late: a text that is absent before could still appear.
    """
    event = f"prefect.flow-run.{run['state']['name']}"
    query = {"filter": {"event": {"name": [event]}, "resource": {"id": [f"prefect.flow-run.{run['id']}"]}}}
    return bool((await api.ask("POST", "/events/filter", query))["events"])


async def set_sweeps_active(api: PrefectApi, *, active: bool) -> None:
    """Start or stop the schedule of sweeps, which would take numbers from under other tests."""
    deployment = await api.ask("GET", "/deployments/name/sweep/sweep")
    for schedule in deployment["schedules"]:
        await api.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule['id']}", {"active": active})
