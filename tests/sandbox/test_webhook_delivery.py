"""Webhooks of a real server: over real connections, from the world's clock, after a real handshake."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sandbox.test_server import client, served

PATIENCE_S = 10


class Endpoint(BaseHTTPRequestHandler):
    """Refuses the first `refusals` posts, takes the others."""

    got: list[tuple[bytes, dict[str, str]]]
    refusals: int

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        right = asked.get("hub.verify_token") == ["ours"]
        self._answer(200 if right else 403, asked["hub.challenge"][0].encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).got.append((body, {name.lower(): value for name, value in self.headers.items()}))
        self._answer(500 if len(type(self).got) <= type(self).refusals else 200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


Got = list[tuple[bytes, dict[str, str]]]


@contextmanager
def endpoint(refusals: int = 0, kind: type[Endpoint] = Endpoint) -> Iterator[tuple[str, Got]]:
    got: Got = []
    ours = type("Ours", (kind,), {"got": got, "refusals": refusals})
    server = ThreadingHTTPServer(("127.0.0.1", 0), ours)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def subscribe(graph: Any, told: dict[str, Any], url: str, verify_token: str = "ours") -> Any:
    key = f"{told['app_id']}|{told['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": url, "verify_token": verify_token}
    answer = graph.post(f"/{told['app_id']}/subscriptions", params={"access_token": key}, json=body)
    graph.post(f"/{told['wabas'][0]['waba_id']}/subscribed_apps")
    return answer


def test_both_sides_post_what_happens_and_repeat_what_was_refused() -> None:
    kinds = "healthy,on_cloud"
    with served("--numbers", "2", "--kinds", kinds) as (_, told), endpoint(refusals=1) as (url, got):
        old, new = told["numbers"]
        with client(told) as graph:
            assert subscribe(graph, told, url, "theirs").json()["error"]["code"] == 2200
            assert subscribe(graph, told, url).json() == {"success": True}
            graph.post("/_sandbox/inbound", json={"e164": new["e164"], "from": "4915112345678"})
            until(lambda: len(got) == 1)
            graph.post("/_sandbox/clock", json={"advance_s": 6})
            until(lambda: len(got) == 2)
            assert got[0][0] == got[1][0]
            secret = told["app_secret"].encode()
            for body, headers in got:
                assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()

            base = f"{old['onprem_url']}/v1"
            token = graph.post(f"{base}/users/login", auth=("admin", old["password"])).json()["users"][0]["token"]
            bearer = {"Authorization": f"Bearer {token}"}
            graph.patch(f"{base}/settings/application", json={"webhooks": {"url": url}}, headers=bearer)
            graph.post("/_sandbox/inbound", json={"e164": old["e164"], "from": "4915112345678"})
            until(lambda: len(got) == 3)
            assert set(json.loads(got[2][0])) == {"contacts", "messages"}
            assert "x-hub-signature-256" not in got[2][1]
            until(lambda: graph.get("/_sandbox/webhooks").json()["counts"]["delivered"] == 2)


def test_an_address_where_nobody_listens_is_not_taken() -> None:
    with served("--numbers", "1", "--kinds", "on_cloud") as (_, told), client(told) as graph:
        assert subscribe(graph, told, "http://127.0.0.1:1/hook").json()["error"]["code"] == 2200
        assert subscribe(graph, told, "https://partner.example/hook").json() == {"success": True}


def test_a_client_is_at_home_at_its_own_port() -> None:
    with served("--numbers", "1") as (_, told), client(told) as graph:
        [row] = told["numbers"]
        address, _, _ = row["onprem_url"].partition("/onprem/")
        for base in (address, row["onprem_url"]):
            assert graph.post(f"{base}/v1/users/login", auth=("admin", row["password"])).status_code == 200
        assert graph.get(f"{address}/nothing").status_code == 404


def test_webhooks_come_at_the_same_time_and_a_slow_receiver_is_given_up() -> None:
    meet = threading.Barrier(3)

    class Together(Endpoint):
        """Answers none before three are here; one alone waits longer than it may."""

        def do_POST(self) -> None:
            with suppress(threading.BrokenBarrierError):
                meet.wait(PATIENCE_S / 2)
            super().do_POST()

    arguments = ("--numbers", "3", "--kinds", "on_cloud", "--switch", "webhook_patience_s=1")
    with served(*arguments) as (_, told), endpoint(kind=Together) as (url, got), client(told) as graph:
        subscribe(graph, told, url)
        for number in told["numbers"]:
            graph.post("/_sandbox/inbound", json={"e164": number["e164"], "from": "4915112345678"})
        until(lambda: graph.get("/_sandbox/webhooks").json()["counts"].get("delivered") == 3)
        assert len({body for body, _ in got}) == 3
        graph.post("/_sandbox/inbound", json={"e164": told["numbers"][0]["e164"], "from": "4915112345678"})
        until(lambda: graph.get("/_sandbox/webhooks").json()["counts"]["attempts"] == 4)
        assert graph.get("/_sandbox/webhooks").json()["recent"][-1]["status"] is None
        meet.abort()
