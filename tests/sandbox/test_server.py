"""The sandbox as a process of its own: its manifest line, real connections that break, real waiting, a clean end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen([sys.executable, "-m", "sandbox", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def client(told: dict[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {told['token']}"}
    return httpx.Client(base_url=told["graph_url"], headers=headers, timeout=20)


def registering(number: dict[str, Any]) -> dict[str, str]:
    return {"messaging_product": "whatsapp", "pin": number["pin"]}


def test_a_server_moves_numbers_breaks_connections_and_ends_cleanly() -> None:
    with served("--numbers", "4", "--kinds", "verified,host_gone", "--seed", "3", "--switch", "register_seconds=1") as (
        process,
        told,
    ):
        first, gone, third, _ = told["numbers"]
        with client(told) as graph:
            graph.post("/_sandbox/faults", json={"faults": [{"route": "get.number", "kind": "truncated"}]})
            with pytest.raises(httpx.RemoteProtocolError):
                graph.get(f"/v25.0/{first['phone_number_id']}")
            with pytest.raises(httpx.TransportError):
                graph.post(f"{gone['onprem_url']}/v1/users/login", auth=("admin", gone["password"]))
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                graph.post(f"/onprem/{gone['instance']}/v1/users/login", auth=("admin", gone["password"]))
            graph.post("/_sandbox/faults", json={"faults": [{"route": "register", "kind": "lost_answer"}]})
            with pytest.raises(httpx.RemoteProtocolError):
                graph.post(f"/v25.0/{first['phone_number_id']}/register", json=registering(first))
            graph.post("/_sandbox/faults", json={"faults": [{"route": "register", "kind": "reset_before"}]})
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                graph.post(f"/v25.0/{third['phone_number_id']}/register", json=registering(third))
            began = time.monotonic()
            answer = graph.post(f"/v25.0/{third['phone_number_id']}/register", json=registering(third))
            assert answer.json() == {"success": True}
            assert time.monotonic() - began >= 0.4
            world = graph.get("/_sandbox/world").json()["numbers"]
        assert [row["platform"] for row in world] == ["CLOUD_API", "ON_PREMISE", "CLOUD_API", "ON_PREMISE"]
        assert [row["registered"] for row in world] == [1, 0, 1, 0]
        assert 0.4 <= world[2]["outage_s"] <= 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_an_impatient_client_changes_nothing_about_the_move() -> None:
    with served("--numbers", "1", "--kinds", "verified", "--switch", "register_seconds=1") as (_, told):
        [number] = told["numbers"]
        with client(told) as graph:
            with pytest.raises(httpx.ReadTimeout):
                graph.post(f"/{number['phone_number_id']}/register", json=registering(number), timeout=0.1)
            assert graph.get("/_sandbox/world").json()["numbers"][0]["side"] == "neither"
            deadline = time.monotonic() + 5
            while graph.get("/_sandbox/world").json()["numbers"][0]["side"] != "cloud":
                assert time.monotonic() < deadline


def test_behind_a_firewall_nobody_answers_and_nobody_refuses() -> None:
    with served("--numbers", "1") as (_, told), client(told) as graph:
        [row] = told["numbers"]
        control = f"/_sandbox/instances/{row['instance']}"
        graph.post(control, json={"do": "firewall_up"})
        for base in (row["onprem_url"], f"/onprem/{row['instance']}"):
            with pytest.raises(httpx.ReadTimeout):
                graph.post(f"{base}/v1/users/login", auth=("admin", row["password"]), timeout=0.3)
        graph.post(control, json={"do": "firewall_down"})
        assert graph.post(f"{row['onprem_url']}/v1/users/login", auth=("admin", row["password"])).status_code == 200


def test_the_control_command_stops_and_starts() -> None:
    with served("--numbers", "2", "--kinds", "healthy,stop_fails") as (_, told):
        first, second = told["numbers"]

        def control(what: str, instance: str, url: str = told["sandbox_url"]) -> int:
            command = [sys.executable, "-m", "sandbox.control.client_commands", "--url", url, what, instance]
            return subprocess.run(command, capture_output=True, check=False).returncode

        assert control("stop", first["instance"]) == 0
        with client(told) as graph:
            assert [row["instance"] for row in graph.get("/_sandbox/world").json()["numbers"]] == [
                "stopped",
                "connected",
            ]
        assert control("start", first["instance"]) == 0
        assert control("stop", second["instance"]) == 1
        assert control("stop", "none") == 1
        assert control("stop", first["instance"], "http://127.0.0.1:1") == 1
        assert control("stop", first["instance"], "file:///etc") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--switch", "colour=red"], "no switch is called 'colour'"),
        (["--switch", "colour"], "NAME=VALUE"),
        (["--kinds", "rusty"], "no kind is called 'rusty'"),
        (["--scenario", "/nowhere.yaml"], "No such file"),
        (["--numbers", "0"], "1 or more"),
        (["--numbers", "100001"], "at most 100000"),
        (["--port", "65536"], "--port is from 0 to 65535"),
        (["--host", ""], "--host is an address"),
        (["--scenario", "clam"], "shipped ones are: after-sunset-dark, calm"),
        (["--scenario", "calm", "--world", "open"], "--world stands in the scenario already"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "sandbox", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_who_asks_for_another_protocol_or_for_a_proxy_is_answered_and_stays_connected() -> None:
    with served("--numbers", "1", "--kinds", "on_cloud") as (process, told):
        host, _, port = told["graph_url"].partition("://")[2].partition(":")
        phone = told["numbers"][0]["phone_number_id"]
        head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {told['token']}\r\n"
        upgrade = f"GET /v25.0/{phone}?fields=id {head}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        proxied = f"GET http://graph.facebook.com/v25.0/{phone}?fields=id {head}\r\n"
        last = f"GET /v25.0/{phone}?fields=id {head}Connection: close\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=20) as client_:
            client_.sendall((upgrade + proxied + last).encode())
            answers = b"".join(iter(lambda: client_.recv(65_536), b""))
        assert answers.count(b"HTTP/1.1 200 OK") == answers.count(f'{{"id":"{phone}"}}'.encode()) == 3
        assert process.poll() is None


def test_head_is_get_without_its_body_and_the_connection_goes_on() -> None:
    with served("--numbers", "1", "--kinds", "on_cloud") as (_, told), client(told) as http:
        phone, waba = (f"/v25.0/{told['numbers'][0][name]}" for name in ("phone_number_id", "waba_id"))
        for path, status in ((phone, 200), (waba, 200), ("/v25.0/nothing", 400), (f"{phone}/register", 400)):
            head, get = http.head(path), http.get(path)
            assert (head.status_code, head.content, get.status_code) == (status, b"", status), path
            assert head.headers["content-length"] == str(len(get.content))
            assert "x-app-usage" in head.headers


def test_a_port_that_somebody_has_and_a_host_that_nobody_is_are_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for given in (["--port", str(taken.getsockname()[1])], ["--host", "a..b"], ["--host", "nowhere.invalid"]):
            command = [sys.executable, "-m", "sandbox", "--numbers", "1", *given]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
            assert done.stderr.startswith("cannot listen on ")
