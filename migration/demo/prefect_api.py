"""A client for the few calls that the demo makes to a Prefect server.

https://docs.prefect.io/v3/api-ref/rest-api
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

END_STATES = frozenset(["COMPLETED", "FAILED", "CANCELLED", "CRASHED"])
POOL = "cutover"
TIMEOUT_S = 30
RETRY_AFTER_S = (0.5, 1, 2, 4, 8, 8)


class PrefectApi:
    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def is_healthy(self) -> bool:
        try:
            return (await self._http.get("/health")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def worker_is_online(self, name: str) -> bool:
        """False also while there is no work pool: the first worker creates it."""
        response = await self._http.post(f"/work_pools/{POOL}/workers/filter", json={})
        if response.status_code != httpx.codes.OK:
            return False
        return any(worker["name"] == name and worker["status"] == "ONLINE" for worker in response.json())

    async def start(self, deployment: str, parameters: Mapping[str, Any]) -> str:
        """Start a flow run now; returns its id. `deployment` is `<flow>/<name>`."""
        row = await self.ask("GET", f"/deployments/name/{deployment}")
        # The idempotency key makes the call safe to repeat.
        body = {"parameters": dict(parameters), "idempotency_key": uuid4().hex}
        return str((await self.ask("POST", f"/deployments/{row['id']}/create_flow_run", body))["id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        body: dict[str, Any] = await self.ask("GET", f"/flow_runs/{run_id}")
        return body

    async def has_ended(self, run_id: str) -> bool:
        return (await self.run(run_id))["state_type"] in END_STATES

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call that is safe to repeat: a server on SQLite answers 503 while its database is locked.

        Raises httpx.HTTPStatusError for any other error, and for a 503 after the last retry.
        """
        for wait_s in RETRY_AFTER_S:
            response = await self._http.request(method, path, json=body)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(wait_s)
        response.raise_for_status()
        return response.json() if response.content else None
