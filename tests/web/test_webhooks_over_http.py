"""`cutover serve` killed while webhooks come in: what it has acknowledged is in the table. And the page's own code."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import threading
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from migration.web.webhooks.inbox import MOST_READ
from state.database import open_database
from state.ledger.ledger import Ledger
from state.ledger.profiles import NewProfile
from state.models import WebhookTable
from state.types import DatabaseClock
from tests.harness.ledger_fixture import NoSecrets, new_number
from tests.web.test_serving import home, serving

__all__ = ["home"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
SECRET, VERIFY = "the-apps-own-secret", "the-verify-token"
ADMIN = """
[profiles.main]
app_id = "77"
token = { file = "secret" }
app_secret = { file = "secret" }
verify_token = { file = "verify" }
"""


@pytest.fixture
def fleet(home: Path) -> Path:
    """A home with one number."""
    (home / "secret").write_text(SECRET)
    (home / "verify").write_text(VERIFY)
    (home / "cutover.toml").write_text(f"{(home / 'cutover.toml').read_text()}\n{ADMIN}")
    asyncio.run(_import(home))
    return home


def _url(home: Path) -> str:
    return f"sqlite+aiosqlite:///{home / 'cutover.db'}"


async def _import(home: Path) -> None:
    engine = open_database(_url(home))
    ledger = Ledger(engine, DatabaseClock())
    await ledger.fleet_import.import_numbers([NewProfile("main", "77")], [new_number(1)], NoSecrets())
    await engine.dispose()


async def _messages(home: Path) -> list[str]:
    engine = open_database(_url(home))
    async with engine.connect() as connection:
        found = list((await connection.execute(select(WebhookTable.message))).scalars())
    await engine.dispose()
    return [str(message) for message in found]


def body_of(message: str) -> bytes:
    number = new_number(1)
    place = {"display_phone_number": number.e164, "phone_number_id": number.phone_number_id}
    status = {"id": message, "status": "sent", "timestamp": "1767225600", "recipient_id": "4915112345678"}
    change = {"field": "messages", "value": {"metadata": place, "statuses": [status]}}
    entry = {"id": number.waba_id, "time": 1767225600, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def signature_of(body: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"


def hashes(messages: set[str]) -> set[str]:
    return {hashlib.sha256(message.encode()).hexdigest() for message in messages}


def forward_of_the_page() -> Callable[[bytes, str, str], int]:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    room: dict[str, Any] = {}
    exec(code, room)
    forward: Callable[[bytes, str, str], int] = room["forward"]
    return forward


def test_the_ready_line_has_the_address_and_the_code_of_the_page_forwards_to_it(fleet: Path) -> None:
    forward, body = forward_of_the_page(), body_of("wamid.1")
    with serving(fleet, "--port", "0", "--no-moves") as (_, ready):
        url = ready["webhook_urls"]["main"]
        assert ready["webhook_urls"] == {"main": f"{ready['public_url']}/webhooks/main"}
        query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "42"}
        assert httpx.get(url, params=query).text == "42"
        assert forward(body, signature_of(body), url) == 200
        with pytest.raises(urllib.error.HTTPError, match="403"):
            forward(body, signature_of(body + b" "), url)
    assert set(asyncio.run(_messages(fleet))) == hashes({"wamid.1"})


def test_connections_that_announce_much_and_send_nothing_keep_no_webhook_out(fleet: Path) -> None:
    body = body_of("wamid.1") + b" " * 2_000_000
    with serving(fleet, "--port", "0", "--no-moves") as (_, ready), ExitStack() as open_ones:
        url = httpx.URL(ready["webhook_urls"]["main"])
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nContent-Length: 3000000\r\n\r\n{{"
        for _ in range(2 * MOST_READ // 3_000_000):
            idle = open_ones.enter_context(closing(socket.create_connection((url.host, url.port or 0), timeout=10)))
            idle.sendall(head.encode())
        answer = httpx.post(url, content=body, headers={"x-hub-signature-256": signature_of(body)})
    assert answer.status_code == 200
    assert set(asyncio.run(_messages(fleet))) == hashes({"wamid.1"})


class Senders:
    """Eight of them, which post one update after the other until the other side is gone."""

    def __init__(self, turn: int, url: str) -> None:
        self.turn, self.url = turn, url
        self.acknowledged: set[str] = set()
        self.enough = threading.Event()

    def send(self, sender: int) -> None:
        with httpx.Client(timeout=10) as client:
            for place in range(10_000):
                message = f"wamid.{self.turn}.{sender}.{place}"
                body = body_of(message)
                try:
                    answer = client.post(self.url, content=body, headers={"x-hub-signature-256": signature_of(body)})
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                self.acknowledged.add(message)
                if len(self.acknowledged) > 300:
                    self.enough.set()


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_by_a_kill(fleet: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(3):
        with (
            serving(fleet, "--port", "0", "--no-moves") as (process, ready),
            ThreadPoolExecutor(8) as pool,
        ):
            senders = Senders(turn, ready["webhook_urls"]["main"])
            ends = [pool.submit(senders.send, sender) for sender in range(8)]
            assert senders.enough.wait(60)
            process.kill()
            for end in ends:
                end.result()
        acknowledged |= senders.acknowledged
        stored = asyncio.run(_messages(fleet))
        assert hashes(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
