"""The waves that forms offer: a list instead of a box for a name, as of the last deploy."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from prefect import get_client
from prefect.client.schemas.actions import DeploymentUpdate

# The flows whose form offers waves. A wave that was planned later is held by `cutover hold`, or after another deploy.
OFFER_WAVES = ("hold", "release", "stop-wave")


def offering(schema: Mapping[str, Any], waves: Sequence[str]) -> dict[str, Any]:
    """The schema of a form, with these waves to choose from; a box for any name where there are none."""
    changed = deepcopy(dict(schema))
    field = changed["properties"]["wave"]
    field.pop("enum", None)
    if waves:
        field["enum"] = list(waves)
    return changed


async def offer_waves(waves: Sequence[str], names: Mapping[str, str]) -> None:
    """`names`: the names of the deployments, by flow."""
    async with get_client() as client:
        for flow in OFFER_WAVES:
            deployment = await client.read_deployment_by_name(names[flow])
            schema = offering(deployment.parameter_openapi_schema or {}, waves)
            await client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=schema))
