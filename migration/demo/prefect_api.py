"""The few words that the demo says to a Prefect server, over its REST API.

https://docs.prefect.io/v3/api-ref/rest-api
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

ENDED = frozenset(["COMPLETED", "FAILED", "CANCELLED", "CRASHED"])
POOL = "cutover"
PATIENCE_S = 30
WAITS_S = (0.5, 1, 2, 4, 8, 8)


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
        """False also while there is no pool yet: the worker itself makes it when it is the first."""
        answer = await self._http.post(f"/work_pools/{POOL}/workers/filter", json={})
        if answer.status_code != httpx.codes.OK:
            return False
        return any(row["name"] == name and row["status"] == "ONLINE" for row in answer.json())

    async def start(self, deployment: str, parameters: Mapping[str, Any]) -> str:
        """Start a run now; returns its id. `deployment` is `<flow>/<name>`."""
        found = await self.ask("GET", f"/deployments/name/{deployment}")
        # The key makes the call repeatable.
        body = {"parameters": dict(parameters), "idempotency_key": uuid4().hex}
        return str((await self.ask("POST", f"/deployments/{found['id']}/create_flow_run", body))["id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        told: dict[str, Any] = await self.ask("GET", f"/flow_runs/{run_id}")
        return told

    async def has_ended(self, run_id: str) -> bool:
        return (await self.run(run_id))["state_type"] in ENDED

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call that may be repeated: a server on SQLite answers 503 while its database is locked.

        Raises httpx.HTTPStatusError for any other refusal, and for one that does not pass.
        """
        for wait_s in WAITS_S:
            answer = await self._http.request(method, path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(wait_s)
        answer.raise_for_status()
        return answer.json() if answer.content else None
