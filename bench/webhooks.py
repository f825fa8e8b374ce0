"""How fast `cutover serve` takes signed webhooks: at a rate, and at three times that rate, on PostgreSQL."""

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from bench.homes import POSTGRES, imported
from bench.sizes import scaled
from bench.table import Row
from state.database import open_database
from state.models import WebhookTable
from state.proof import message_key

RATE, UPDATES = 250, 4  # posts a second, and updates in each
SECONDS_AT_RATE, SECONDS_ABOVE, TIMES = 20, 10, 3
MOST_MS, PERCENTILE = 100, 99
CONNECTIONS = 64
ANSWER_WITHIN_S = 30
SECONDS = 120
LIMIT = """One transaction takes all that waits, so the disk is waited for once by many posts; what a post costs beyond
that is its signature, its JSON and one row an update. PostgreSQL, the generator and the process that records effects
share the two cores with the receiver."""


@dataclass(slots=True)
class Posted:
    """What came back: seconds by answer, and the messages that were acknowledged."""

    took: list[float] = field(default_factory=list)  # of those answered 200
    answers: dict[int, int] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    def percentile_ms(self, share: int) -> float:
        return 1000 * sorted(self.took)[max(round(len(self.took) * share / 100) - 1, 0)] if self.took else 0.0


def run() -> Iterator[Row]:
    with imported("--numbers", "6", "--kinds", "healthy", database=POSTGRES) as (environment, manifest):
        command = [sys.executable, "-m", "migration.cli", "serve", "--port", "0"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                url = json.loads(process.stdout.readline())["webhook_urls"]["main"]
                sender = Sender(url, manifest)
                calm = asyncio.run(sender.send(RATE, scaled(RATE * SECONDS_AT_RATE)))
                rough = asyncio.run(sender.send(RATE * TIMES, scaled(RATE * TIMES * SECONDS_ABOVE)))
                stored = asyncio.run(_stored(environment["CUTOVER_DATABASE_URL"]))
            finally:
                process.terminate()
    yield from _rows(calm, rough, stored)


def _rows(calm: Posted, rough: Posted, stored: frozenset[str]) -> Iterator[Row]:
    slowest = calm.percentile_ms(PERCENTILE)
    rate = f"{RATE} posts a second of {UPDATES} updates"
    yield Row(f"{rate}: durable, {PERCENTILE} of 100", f"{slowest:.0f} ms", f"{MOST_MS} ms or less", slowest <= MOST_MS)
    yield Row(f"{rate}: durable, the middle", f"{calm.percentile_ms(50):.0f} ms")
    others = sum(count for code, count in calm.answers.items() if code != 200)
    yield Row(f"{rate}: not answered 200", str(others), "0", others == 0)
    answers = ", ".join(f"{count} with {code or 'no answer'}" for code, count in sorted(rough.answers.items()))
    only = set(rough.answers) <= {200, 503}
    yield Row(f"{TIMES} times that rate: answered", answers, "200 and 503 only", only)
    lost = sum(message_key(one) not in stored for one in (*calm.acknowledged, *rough.acknowledged))
    yield Row("acknowledged, and not in the table", str(lost), "0", lost == 0)


class Sender:
    """Meta's side, over connections that stay open; each post leaves at its time, whatever came of those before."""

    def __init__(self, url: str, manifest: Mapping[str, Any]) -> None:
        self.url = urlsplit(url)
        self.secret = str(manifest["app_secret"]).encode()
        self.number = manifest["numbers"][0]
        self.sent = 0
        self.free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def send(self, rate: int, posts: int) -> Posted:
        self.free, posted = asyncio.Queue(), Posted()
        for _ in range(CONNECTIONS):
            self.free.put_nowait(await self._connect())
        began = time.perf_counter()
        tasks = []
        for place in range(posts):
            at = began + place / rate
            await asyncio.sleep(max(at - time.perf_counter(), 0))
            tasks.append(asyncio.create_task(self._post(at, posted)))
        await asyncio.gather(*tasks)
        while not self.free.empty():
            self.free.get_nowait()[1].close()
        return posted

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(str(self.url.hostname), int(self.url.port or 80))

    async def _post(self, at: float, posted: Posted) -> None:
        raw, messages = self._request()
        connection, code = await self.free.get(), 0
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                code = await _answer(*connection, raw)
        self.free.put_nowait(connection if code else await self._connect())
        posted.answers[code] = posted.answers.get(code, 0) + 1
        if code == 200:
            posted.took.append(time.perf_counter() - at)
            posted.acknowledged += messages

    def _request(self) -> tuple[bytes, list[str]]:
        self.sent += 1
        messages = [f"wamid.bench.{self.sent}.{place}" for place in range(UPDATES)]
        rows = [{"id": one, "status": "delivered", "timestamp": "1767225600"} for one in messages]
        place = {"metadata": {"phone_number_id": self.number["phone_number_id"]}}
        entry = {"id": self.number["waba_id"], "changes": [{"field": "messages", "value": {**place, "statuses": rows}}]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        signed = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        head = f"POST {self.url.path} HTTP/1.1\r\nHost: {self.url.netloc}\r\nX-Hub-Signature-256: sha256={signed}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body, messages


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> int:
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1])


async def _stored(database_url: str) -> frozenset[str]:
    database = open_database(database_url)
    try:
        async with database.connect() as connection:
            return frozenset((await connection.execute(select(WebhookTable.message))).scalars())
    finally:
        await database.dispose()
