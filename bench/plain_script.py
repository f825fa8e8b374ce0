"""The baseline, a plain asyncio script of Meta's guide: `python -m bench.plain_script MANIFEST AT_ONCE CALLS`.

For each number: log in, secure the PIN, back up, register with the backup, send a message; and as many readings of both
sides as make CALLS calls a number. It keeps no state, tries nothing again and proves nothing.

--rows FILE     commit a row into this SQLite file after each of STEPS steps
--stop          stop the client and register without its backup, as for a number that is verified already
--prefect WHAT  in a Prefect flow at PREFECT_API_URL: a task for each number ("number") or each step ("step")

Prints one JSON line: CPU seconds of this process, seconds, and the numbers moved.
"""

import argparse
import asyncio
import base64
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.spent import Spent
from bench.stop_command import stop_argv

STEPS = 17
PIN, PASSWORD = "246810", base64.urlsafe_b64encode(b"plain script, no state").decode()
MESSAGE = {
    "messaging_product": "whatsapp",
    "to": "+15550109999",
    "type": "template",
    "template": {"name": "hello_world", "language": {"code": "en_US"}},
}
Work = Callable[[], Awaitable[None]]
Wrap = Callable[[str, Work], Awaitable[None]]


class Number:
    """The calls of one number, in the order of Meta's guide."""

    def __init__(self, client: httpx.AsyncClient, manifest: dict[str, Any], number: dict[str, Any]) -> None:
        self.client, self.sandbox_url, self.number = client, manifest["sandbox_url"], number
        self.onprem = number["onprem_url"].rstrip("/")
        self.node = f"{manifest['graph_url'].rstrip('/')}/v25.0/{number['phone_number_id']}"
        self.graph_headers = {"Authorization": f"Bearer {manifest['token']}"}
        self.client_headers: dict[str, str] = {}
        self.backup: dict[str, str] = {}

    def calls(self, count: int, *, stops: bool) -> list[Work]:
        writes = [self.secure_pin, self.stop if stops else self.back_up, self.register, self.send]
        readings = count - 1 - sum(write != self.stop for write in writes)
        return [self.log_in, *([self.read_client, self.read_graph] * readings)[:readings], *writes]

    async def call(self, method: str, url: str, headers: dict[str, str], body: Any = None) -> Any:
        response = await self.client.request(method, url, headers=headers, json=body)
        response.raise_for_status()
        return response.json() if response.content else {}

    async def log_in(self) -> None:
        sign_in = base64.b64encode(f"{self.number['username']}:{self.number['password']}".encode()).decode()
        headers = {"Authorization": f"Basic {sign_in}"}
        answer = await self.call("POST", f"{self.onprem}/v1/users/login", headers, {})
        self.client_headers = {"Authorization": f"Bearer {answer['users'][0]['token']}"}

    async def read_client(self) -> None:
        await self.call("GET", f"{self.onprem}/v1/health", self.client_headers)

    async def read_graph(self) -> None:
        await self.call("GET", f"{self.node}?fields=id,status,platform_type", self.graph_headers)

    async def secure_pin(self) -> None:
        await self.call("POST", f"{self.onprem}/v1/settings/account/two-step", self.client_headers, {"pin": PIN})

    async def back_up(self) -> None:
        body = {"password": PASSWORD}
        answer = await self.call("POST", f"{self.onprem}/v1/settings/backup", self.client_headers, body)
        self.backup = {"data": answer["settings"]["data"], "password": PASSWORD}

    async def stop(self) -> None:
        command = stop_argv(self.sandbox_url, self.number["instance"])
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        if await process.wait():
            raise RuntimeError("the stop command failed")

    async def register(self) -> None:
        body = {"messaging_product": "whatsapp", "pin": PIN} | ({"backup": self.backup} if self.backup else {})
        await self.call("POST", f"{self.node}/register", self.graph_headers, body)

    async def send(self) -> None:
        await self.call("POST", f"{self.node}/messages", self.graph_headers, MESSAGE)


class Script:
    def __init__(self, options: argparse.Namespace) -> None:
        self.manifest = json.loads(Path(options.manifest).read_text())
        self.calls, self.stops = options.calls, options.stop
        self.turns = asyncio.Semaphore(options.at_once)
        most = httpx.Limits(max_connections=2 * options.at_once)
        self.client = httpx.AsyncClient(trust_env=False, timeout=60, limits=most)
        self.rows = opened(options.rows) if options.rows else None

    async def move(self, number: dict[str, Any], wrap: Wrap | None = None) -> None:
        async with self.turns:
            calls = Number(self.client, self.manifest, number).calls(self.calls, stops=self.stops)
            for place, group in enumerate(groups(calls, STEPS)):
                work = self._step(number, place, group)
                await (wrap(f"{number['e164']}, step {place}", work) if wrap is not None else work())

    def _step(self, number: dict[str, Any], place: int, calls: Sequence[Work]) -> Work:
        async def work() -> None:
            for call in calls:
                await call()
            if self.rows is not None:
                self.rows.execute("INSERT INTO steps VALUES (?, ?)", (number["e164"], place))
                self.rows.commit()

        return work

    async def close(self) -> None:
        await self.client.aclose()
        if self.rows is not None:
            self.rows.close()


def groups(calls: Sequence[Work], count: int) -> list[Sequence[Work]]:
    """The calls in their order, in `count` groups of nearly one size."""
    ends = [len(calls) * (at + 1) // count for at in range(count)]
    return [calls[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def opened(path: str) -> sqlite3.Connection:
    rows = sqlite3.connect(path)
    rows.execute("PRAGMA journal_mode=WAL")
    rows.execute("PRAGMA synchronous=FULL")
    rows.execute("CREATE TABLE steps (number TEXT, step INTEGER)")
    return rows


async def run_plainly(script: Script) -> None:
    await asyncio.gather(*(script.move(number) for number in script.manifest["numbers"]))


async def run_in_flow(script: Script, what: str) -> None:
    """Every task as bare as ours: no retries, no cache, no stored result."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    def as_task(name: str, work: Work) -> Awaitable[None]:
        wrapped = task(work, name="move", task_run_name=name, retries=0, cache_policy=NO_CACHE, persist_result=False)
        result: Awaitable[None] = wrapped()
        return result

    async def move(number: dict[str, Any]) -> None:
        if what == "step":
            await script.move(number, as_task)
        else:
            await as_task(number["e164"], lambda: script.move(number))

    @flow(name="plain", retries=0, persist_result=False)
    async def plain() -> None:
        await asyncio.gather(*(move(number) for number in script.manifest["numbers"]))

    await plain()


async def main(options: argparse.Namespace) -> dict[str, Any]:
    script = Script(options)
    spent = Spent()
    await (run_in_flow(script, options.prefect) if options.prefect else run_plainly(script))
    result = spent.result() | {"moved": len(script.manifest["numbers"])}
    await script.close()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest")
    parser.add_argument("at_once", type=int)
    parser.add_argument("calls", type=int)
    parser.add_argument("--rows")
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("--prefect", choices=["number", "step"])
    print(json.dumps(asyncio.run(main(parser.parse_args()))))
