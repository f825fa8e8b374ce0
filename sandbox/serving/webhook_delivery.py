"""Posts webhooks over real connections, as the world's clock says, and asks new addresses to verify themselves."""

import asyncio
from typing import TYPE_CHECKING, Any

from sandbox.world.webhooks import Delivery, Handshake

if TYPE_CHECKING:
    import httpx

    from sandbox.app import Sandbox

# "concurrent requests": how many of them is undocumented.
AT_ONCE = 50
# The clock may be moved by a control call; it is looked at again after so many seconds whatever happens.
LOOK_S = 1.0


class Courier:
    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self._http: httpx.AsyncClient | None = None
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._posts: set[asyncio.Task[None]] = set()

    def look(self) -> None:
        """Something happened that may have made webhooks."""
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                for delivery in self._sandbox.due():
                    task = asyncio.create_task(self._post(delivery))
                    self._posts.add(task)
                    task.add_done_callback(self._posts.discard)
                await self._until_next()
        finally:
            for task in list(self._posts):
                task.cancel()
            if self._http is not None:
                await self._http.aclose()

    def _client(self) -> "httpx.AsyncClient":
        """Made when it is first needed: most servers never post, and are ready sooner without it."""
        import httpx  # noqa: PLC0415

        if self._http is None:
            patience = self._sandbox.world.switches.webhook_patience_s
            self._http = httpx.AsyncClient(timeout=patience, trust_env=False, follow_redirects=False)
        return self._http

    async def _until_next(self) -> None:
        due = self._sandbox.world.outbox.next_due()
        left = LOOK_S if due is None else (due - self._sandbox.world.now()).total_seconds()
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), max(0.0, min(left, LOOK_S)))
        except TimeoutError:
            return

    async def _post(self, delivery: Delivery) -> None:
        async with self._room:
            status = await self._status(delivery)
        self._sandbox.settle(delivery, status)
        self.look()

    async def _status(self, delivery: Delivery) -> int | None:
        answer = await self._ask("POST", delivery.url, content=delivery.body, headers=delivery.headers)
        return None if answer is None else answer.status_code

    async def _ask(self, method: str, url: str, **how: Any) -> "httpx.Response | None":
        """None where there was no answer in time, or nobody to give one."""
        import httpx  # noqa: PLC0415

        try:
            return await self._client().request(method, url, **how)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def verifies(self, handshake: Handshake) -> bool:
        if handshake.is_nobodys:
            return True
        answer = await self._ask("GET", handshake.target)
        return answer is not None and handshake.passed(answer.status_code, answer.text)
