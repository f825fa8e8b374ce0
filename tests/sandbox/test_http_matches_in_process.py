"""The same seed gives each number the same history over HTTP and in-process: codes, calls and webhooks.

In both the clock stands still until the test advances it, so that no difference comes from timing.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from sandbox.app import Sandbox
from sandbox.wire import Request
from sandbox.world.webhooks import Delivery
from tests.sandbox.http_receiver import Endpoint, serve_endpoint
from tests.sandbox.server_process import graph_client, register_body

START = "2025-09-01T20:00:00+00:00"
KINDS = ["no_backup", "dark", "healthy", "on_cloud"]
SWITCHES = {"webhook_jitter_s": 30, "webhook_duplicates": 0.5, "callbacks_after_move": "delivered"}
FROZEN_SERVER = f"""
import asyncio
from datetime import datetime
from sandbox.app import Sandbox
from sandbox.serving.server import serve
now = datetime.fromisoformat({START!r})
made = Sandbox.build(numbers={len(KINDS)}, seed=11, kinds={KINDS!r}, now=lambda: now, switches={SWITCHES!r})
asyncio.run(serve(made))
"""
PATIENCE_S = 10
# So many deliveries each receiver refuses first, so that retries are compared too.
REFUSALS = 3


@dataclass
class Record:
    """Codes, calls, and the webhook bodies of each number in the order of arrival."""

    codes: list[str] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    webhooks: dict[str, list[bytes]] = field(default_factory=dict)


class HistoryRun:
    """Makes the same calls over any client; `wait_for_deliveries` returns once every due webhook was delivered."""

    def __init__(self, graph: httpx.Client, numbers: list[dict[str, Any]], url: str) -> None:
        self.graph, self.numbers, self.url = graph, numbers, url

    def wait_for_deliveries(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._busy():
            assert time.monotonic() < deadline
            threading.Event().wait(0.005)

    def _busy(self) -> bool:
        state = self.graph.get("/_sandbox/webhooks").json()
        now = self.graph.get("/_sandbox/world").json()["now"]
        return bool(state["under_way"]) or (state["next_due"] is not None and state["next_due"] <= now)

    def set_callback_addresses(self) -> None:
        """Give each number a callback address of its own, on Cloud and at its client."""
        for waba in {number["waba_id"] for number in self.numbers}:
            assert self.graph.post(f"/{waba}/subscribed_apps").status_code == 200
        for number in self.numbers:
            url = f"{self.url}/{number['phone_number_id']}"
            override = {"override_callback_uri": url, "verify_token": "ours"}
            body = {"webhook_configuration": override}
            assert self.graph.post(f"/{number['phone_number_id']}", json=body).status_code == 200
            if number["instance"] is not None:
                base = f"/onprem/{number['instance']}/v1"
                token = self.graph.post(f"{base}/users/login", auth=("admin", number["password"])).json()
                bearer = {"Authorization": f"Bearer {token['users'][0]['token']}"}
                body = {"webhooks": {"url": url}}
                assert self.graph.patch(f"{base}/settings/application", json=body, headers=bearer).status_code == 200

    def run(self) -> Record:
        record = Record()
        self.set_callback_addresses()
        for number in self.numbers:
            self.graph.post("/_sandbox/inbound", json={"e164": number["e164"], "from": "4915112345678"})
            record.codes.append(self.move(number))
            self.graph.post("/_sandbox/inbound", json={"e164": number["e164"], "from": "4915112345678"})
            text = {"messaging_product": "whatsapp", "to": "4915112345678", "type": "text", "text": {"body": "hi"}}
            assert self.graph.post(f"/{number['phone_number_id']}/messages", json=text).status_code == 200
        while (due := self.graph.get("/_sandbox/webhooks").json()["next_due"]) is not None:
            now = self.graph.get("/_sandbox/world").json()["now"]
            wait = (datetime.fromisoformat(due) - datetime.fromisoformat(now)).total_seconds()
            self.graph.post("/_sandbox/clock", json={"advance_s": wait})
            self.wait_for_deliveries()
        calls = self.graph.get("/_sandbox/calls").json()["calls"]
        record.calls = [tuple(call[name] for name in ("at", "e164", "call", "status", "effect")) for call in calls]
        return record

    def move(self, number: dict[str, Any]) -> str:
        phone = f"/{number['phone_number_id']}"
        self.graph.post(f"{phone}/request_code", json={"code_method": "SMS", "language": "en"})
        code = self.graph.get("/_sandbox/sms", params={"e164": number["e164"]}).json()["codes"][-1]["code"]
        self.graph.post(f"{phone}/verify_code", json={"code": code})
        self.graph.post(f"{phone}/register", json=register_body(number))
        return str(code)


@contextmanager
def over_http() -> Iterator[dict[str, Any]]:
    process = subprocess.Popen([sys.executable, "-c", FROZEN_SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


def in_process() -> Record:
    now = datetime.fromisoformat(START)
    sandbox = Sandbox.build(numbers=len(KINDS), seed=11, kinds=KINDS, now=lambda: now, switches=SWITCHES)
    manifest, url = sandbox.manifest(), "http://127.0.0.1:9/hook"
    received: dict[str, list[bytes]] = {}

    def handle(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        target = request.url.raw_path.decode()
        response = sandbox.handle(Request.of(request.method, target, headers, request.read(), "http://sandbox"))
        return httpx.Response(response.status, headers=response.headers, content=response.body)

    def receive(delivery: Delivery) -> int:
        bodies = received.setdefault(delivery.url.rpartition("/")[2], [])
        bodies.append(delivery.body)
        return 500 if len(bodies) <= REFUSALS else 200

    class InProcess(HistoryRun):
        def wait_for_deliveries(self) -> None:
            while sandbox.deliver(receive):
                pass

    headers = {"Authorization": f"Bearer {manifest['token']}"}
    transport = httpx.MockTransport(handle)
    with httpx.Client(transport=transport, base_url="http://sandbox", headers=headers) as graph:
        record = InProcess(graph, manifest["numbers"], url).run()
    record.webhooks = received
    return record


def over_real_connections() -> Record:
    received: dict[str, list[bytes]] = {}

    class PerNumberEndpoint(Endpoint):
        """Refuses the first deliveries of each number, not the first of all."""

        def do_POST(self) -> None:  # noqa: N802  the name it is called by
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies = received.setdefault(self.path.rpartition("/")[2], [])
            bodies.append(body)
            self._answer(500 if len(bodies) <= REFUSALS else 200, b"")

    with over_http() as manifest, graph_client(manifest) as graph, serve_endpoint(kind=PerNumberEndpoint) as (url, _):
        record = HistoryRun(graph, manifest["numbers"], url).run()
    record.webhooks = received
    return record


def test_same_seed_gives_same_history_over_http_and_in_process() -> None:
    wire, memory = over_real_connections(), in_process()
    assert wire.codes == memory.codes
    assert wire.calls == memory.calls
    assert set(wire.webhooks) == set(memory.webhooks)
    for number, bodies in memory.webhooks.items():
        assert len(bodies) > REFUSALS + 3, "duplicates and retries are among them"
        assert wire.webhooks[number] == bodies
    both = [json.loads(body) for bodies in memory.webhooks.values() for body in bodies]
    assert {"entry" in body for body in both} == {True, False}, "webhooks of both sides are among them"
