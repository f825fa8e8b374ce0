"""What the sandbox itself saw: the truth that the demo's report is made from."""

from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE_S = 20


class SandboxControl:
    def __init__(self, sandbox_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=sandbox_url, timeout=PATIENCE_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _get(self, path: str, **asked: str) -> dict[str, Any]:
        answer = await self._http.get(f"/_sandbox/{path}", params=asked)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    async def numbers(self) -> list[dict[str, Any]]:
        """Each number's true state."""
        return list((await self._get("world"))["numbers"])

    async def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Every call after number `since`, in order."""
        return list((await self._get("calls", since=str(since)))["calls"])

    async def code(self, e164: str) -> str | None:
        """The newest code that has arrived on the number's phone."""
        codes = (await self._get("sms", e164=e164))["codes"]
        return next((str(one["code"]) for one in reversed(codes) if one["arrived"]), None)
