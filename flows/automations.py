"""The one automation that `cutover deploy` makes: a run that crashed or is late starts a sweep, and the sweep tells.

Only Prefect sees such a run: its process is gone, or no worker has taken it. No target and no secret stands in Prefect.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from prefect import get_client
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

NAME = "cutover: sweep after a run that crashed or is late"
EVENTS = frozenset({"prefect.flow-run.Crashed", "prefect.flow-run.Late"})


def sweep_after_lost_runs(deployments: Mapping[str, UUID]) -> AutomationCore:
    """`deployments`: ids by flow. A sweep that is late itself starts no other: where no worker is, none would run."""
    watched = [f"prefect.deployment.{key}" for flow, key in sorted(deployments.items()) if flow != "sweep"]
    trigger = EventTrigger(
        expect=set(EVENTS),
        match_related={"prefect.resource.role": "deployment", "prefect.resource.id": watched},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(),
    )
    sweep = RunDeployment(source="selected", deployment_id=deployments["sweep"], parameters={}, job_variables=None)
    return AutomationCore(name=NAME, trigger=trigger, actions=[sweep])


async def replace_automation(deployments: Mapping[str, UUID]) -> None:
    """The deployments may be new ones, so the automation of an earlier deploy is taken away."""
    async with get_client() as client:
        for earlier in await client.read_automations_by_name(NAME):
            await client.delete_automation(earlier.id)
        await client.create_automation(sweep_after_lost_runs(deployments))
