"""The few words that the demo says to a Prefect server, over its REST API.

https://docs.prefect.io/v3/api-ref/rest-api
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

ENDED = frozenset(["COMPLETED", "FAILED", "CANCELLED", "CRASHED"])
POOL = "cutover"
PATIENCE_S = 20


class PrefectApi:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def healthy(self) -> bool:
        try:
            return (await self._http.get("/health")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def worker_is_online(self, name: str) -> bool:
        answer = await self._http.post(f"/work_pools/{POOL}/workers/filter", json={})
        if answer.status_code != httpx.codes.OK:
            return False
        return any(row["name"] == name and row["status"] == "ONLINE" for row in answer.json())

    async def start(self, deployment: str, parameters: Mapping[str, Any]) -> str:
        """Start a run now; returns its id. `deployment` is `<flow>/<name>`."""
        found = await self._http.get(f"/deployments/name/{deployment}")
        found.raise_for_status()
        body = {"parameters": dict(parameters)}
        made = await self._http.post(f"/deployments/{found.json()['id']}/create_flow_run", json=body)
        made.raise_for_status()
        return str(made.json()["id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        answer = await self._http.get(f"/flow_runs/{run_id}")
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    async def has_ended(self, run_id: str) -> bool:
        return (await self.run(run_id))["state_type"] in ENDED
