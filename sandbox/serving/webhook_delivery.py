"""Posts webhooks over HTTP when the world's clock says so, and verifies new webhook addresses."""

import asyncio
from typing import TYPE_CHECKING, Any

from sandbox.world.webhooks import Delivery, Handshake

if TYPE_CHECKING:
    import httpx

    from sandbox.app import Sandbox

# "concurrent requests": how many is undocumented.
AT_ONCE = 50
# A control call may move the clock, so the outbox is checked at least this often.
CHECK_EVERY_S = 1.0


class WebhookSender:
    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self._http: httpx.AsyncClient | None = None
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._posts: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """To be called after anything that may have put webhooks into the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Runs until it is cancelled."""
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
        """Made when it is first needed: most servers never post, and start faster without it."""
        import httpx  # noqa: PLC0415

        if self._http is None:
            timeout = self._sandbox.world.switches.webhook_patience_s
            self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False)
        return self._http

    async def _until_next(self) -> None:
        due = self._sandbox.world.outbox.next_due()
        wait_s = CHECK_EVERY_S if due is None else (due - self._sandbox.world.now()).total_seconds()
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), max(0.0, min(wait_s, CHECK_EVERY_S)))
        except TimeoutError:
            return

    async def _post(self, delivery: Delivery) -> None:
        async with self._slots:
            response = await self._request("POST", delivery.url, content=delivery.body, headers=delivery.headers)
        self._sandbox.settle(delivery, None if response is None else response.status_code)
        self.wake()

    async def _request(self, method: str, url: str, **options: Any) -> "httpx.Response | None":
        """None when there is no response in time, or nothing listens."""
        import httpx  # noqa: PLC0415

        try:
            return await self._client().request(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def verifies_itself(self, handshake: Handshake) -> bool:
        """Whether the address returns the challenge."""
        if handshake.is_discarded:
            return True
        response = await self._request("GET", handshake.full_url)
        return response is not None and handshake.passed(response.status_code, response.text)
