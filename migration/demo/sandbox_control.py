"""A client of the sandbox's control API, which shows the true state of its world. The demo's report is made from it."""

from types import TracebackType
from typing import Any, Self

import httpx

TIMEOUT_S = 20


class SandboxControl:
    def __init__(self, sandbox_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=sandbox_url, timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _get(self, path: str, **params: str) -> dict[str, Any]:
        response = await self._http.get(f"/_sandbox/{path}", params=params)
        response.raise_for_status()
        body: dict[str, Any] = response.json()
        return body

    async def numbers(self) -> list[dict[str, Any]]:
        """Each number's true state."""
        return list((await self._get("world"))["numbers"])

    async def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Every call after call number `since`, in order."""
        return list((await self._get("calls", since=str(since)))["calls"])

    async def write_to(self, e164: str) -> None:
        """A consumer writes to the number."""
        response = await self._http.post("/_sandbox/inbound", json={"e164": e164, "text": "Hello"})
        response.raise_for_status()

    async def code(self, e164: str) -> str | None:
        """The newest code that has arrived on the number's phone."""
        codes = (await self._get("sms", e164=e164))["codes"]
        return next((str(code["code"]) for code in reversed(codes) if code["arrived"]), None)
