"""Webhooks of a sandbox process: over real connections, by the world's clock, after a real verification request."""

import hashlib
import hmac
import json
import threading
from contextlib import suppress
from typing import Any

from tests.sandbox.http_receiver import PATIENCE_S, Endpoint, serve_endpoint, wait_until
from tests.sandbox.server_process import graph_client, sandbox_process


def subscribe(graph: Any, manifest: dict[str, Any], url: str, verify_token: str = "ours") -> Any:
    key = f"{manifest['app_id']}|{manifest['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": url, "verify_token": verify_token}
    response = graph.post(f"/{manifest['app_id']}/subscriptions", params={"access_token": key}, json=body)
    graph.post(f"/{manifest['wabas'][0]['waba_id']}/subscribed_apps")
    return response


def test_both_sides_deliver_webhooks_and_retry_refused_ones() -> None:
    kinds = "healthy,on_cloud"
    with (
        sandbox_process("--numbers", "2", "--kinds", kinds) as (_, manifest),
        serve_endpoint(refusals=1) as (url, received),
    ):
        onprem_number, cloud_number = manifest["numbers"]
        with graph_client(manifest) as graph:
            assert subscribe(graph, manifest, url, "theirs").json()["error"]["code"] == 2200
            assert subscribe(graph, manifest, url).json() == {"success": True}
            graph.post("/_sandbox/inbound", json={"e164": cloud_number["e164"], "from": "4915112345678"})
            wait_until(lambda: len(received) == 1)
            graph.post("/_sandbox/clock", json={"advance_s": 6})
            wait_until(lambda: len(received) == 2)
            assert received[0][0] == received[1][0]
            secret = manifest["app_secret"].encode()
            for body, headers in received:
                assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()

            base = f"{onprem_number['onprem_url']}/v1"
            token = graph.post(f"{base}/users/login", auth=("admin", onprem_number["password"])).json()["users"][0][
                "token"
            ]
            bearer = {"Authorization": f"Bearer {token}"}
            graph.patch(f"{base}/settings/application", json={"webhooks": {"url": url}}, headers=bearer)
            graph.post("/_sandbox/inbound", json={"e164": onprem_number["e164"], "from": "4915112345678"})
            wait_until(lambda: len(received) == 3)
            assert set(json.loads(received[2][0])) == {"contacts", "messages"}
            assert "x-hub-signature-256" not in received[2][1]
            wait_until(lambda: graph.get("/_sandbox/webhooks").json()["counts"]["delivered"] == 2)


def test_unreachable_callback_url_is_refused() -> None:
    with sandbox_process("--numbers", "1", "--kinds", "on_cloud") as (_, manifest), graph_client(manifest) as graph:
        assert subscribe(graph, manifest, "http://127.0.0.1:1/hook").json()["error"]["code"] == 2200
        assert subscribe(graph, manifest, "https://partner.example/hook").json() == {"success": True}


def test_client_answers_on_own_port() -> None:
    with sandbox_process("--numbers", "1") as (_, manifest), graph_client(manifest) as graph:
        [row] = manifest["numbers"]
        address, _, _ = row["onprem_url"].partition("/onprem/")
        for base in (address, row["onprem_url"]):
            assert graph.post(f"{base}/v1/users/login", auth=("admin", row["password"])).status_code == 200
        assert graph.get(f"{address}/nothing").status_code == 404


def test_webhooks_are_sent_concurrently_and_slow_receiver_times_out() -> None:
    barrier = threading.Barrier(3)

    class BarrierEndpoint(Endpoint):
        """Answers only when three requests are waiting; a single request waits longer than the sender's patience."""

        def do_POST(self) -> None:  # noqa: N802  the name it is called by
            with suppress(threading.BrokenBarrierError):
                barrier.wait(PATIENCE_S / 2)
            super().do_POST()

    arguments = ("--numbers", "3", "--kinds", "on_cloud", "--switch", "webhook_patience_s=1")
    with (
        sandbox_process(*arguments) as (_, manifest),
        serve_endpoint(kind=BarrierEndpoint) as (url, received),
        graph_client(manifest) as graph,
    ):
        subscribe(graph, manifest, url)
        for number in manifest["numbers"]:
            graph.post("/_sandbox/inbound", json={"e164": number["e164"], "from": "4915112345678"})
        wait_until(lambda: graph.get("/_sandbox/webhooks").json()["counts"].get("delivered") == 3)
        assert len({body for body, _ in received}) == 3
        graph.post("/_sandbox/inbound", json={"e164": manifest["numbers"][0]["e164"], "from": "4915112345678"})
        wait_until(lambda: graph.get("/_sandbox/webhooks").json()["counts"]["attempts"] == 4)
        assert graph.get("/_sandbox/webhooks").json()["recent"][-1]["status"] is None
        barrier.abort()
