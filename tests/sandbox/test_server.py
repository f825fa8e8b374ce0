"""The sandbox as a process: manifest line, broken connections, real waits, command line, clean shutdown."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.__main__ import main
from sandbox.control import client_commands
from tests.sandbox.http_receiver import wait_until
from tests.sandbox.server_process import graph_client, register_body, sandbox_process

Running = tuple[subprocess.Popen[str], dict[str, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A number on Cloud and one on On-Premises, for tests that leave the sandbox as it was."""
    with sandbox_process("--numbers", "2", "--kinds", "on_cloud,healthy") as running:
        yield running


def test_server_moves_numbers_breaks_connections_and_stops_cleanly() -> None:
    with sandbox_process(
        "--numbers", "4", "--kinds", "verified,host_gone", "--seed", "3", "--switch", "register_seconds=1"
    ) as (
        process,
        manifest,
    ):
        first, gone, third, _ = manifest["numbers"]
        with graph_client(manifest) as graph:
            graph.post("/_sandbox/faults", json={"faults": [{"route": "get.number", "kind": "truncated"}]})
            with pytest.raises(httpx.RemoteProtocolError):
                graph.get(f"/v25.0/{first['phone_number_id']}")
            with pytest.raises(httpx.TransportError):
                graph.post(f"{gone['onprem_url']}/v1/users/login", auth=("admin", gone["password"]))
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                graph.post(f"/onprem/{gone['instance']}/v1/users/login", auth=("admin", gone["password"]))
            graph.post("/_sandbox/faults", json={"faults": [{"route": "register", "kind": "lost_answer"}]})
            with pytest.raises(httpx.RemoteProtocolError):
                graph.post(f"/v25.0/{first['phone_number_id']}/register", json=register_body(first))
            graph.post("/_sandbox/faults", json={"faults": [{"route": "register", "kind": "reset_before"}]})
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                graph.post(f"/v25.0/{third['phone_number_id']}/register", json=register_body(third))
            started = time.monotonic()
            response = graph.post(f"/v25.0/{third['phone_number_id']}/register", json=register_body(third))
            assert response.json() == {"success": True}
            assert time.monotonic() - started >= 0.4
            world = graph.get("/_sandbox/world").json()["numbers"]
        assert [row["platform"] for row in world] == ["CLOUD_API", "ON_PREMISE", "CLOUD_API", "ON_PREMISE"]
        assert [row["registered"] for row in world] == [1, 0, 1, 0]
        assert 0.4 <= world[2]["outage_s"] <= 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_client_timeout_does_not_stop_register() -> None:
    with sandbox_process("--numbers", "1", "--kinds", "verified", "--switch", "register_seconds=1") as (_, manifest):
        [number] = manifest["numbers"]
        with graph_client(manifest) as graph:
            with pytest.raises(httpx.ReadTimeout):
                graph.post(f"/{number['phone_number_id']}/register", json=register_body(number), timeout=0.1)
            assert graph.get("/_sandbox/world").json()["numbers"][0]["side"] == "neither"
            wait_until(lambda: graph.get("/_sandbox/world").json()["numbers"][0]["side"] == "cloud", patience_s=5)


def test_firewalled_client_times_out(running: Running) -> None:
    _, manifest = running
    with graph_client(manifest) as graph:
        row = manifest["numbers"][1]
        control = f"/_sandbox/instances/{row['instance']}"
        graph.post(control, json={"do": "firewall_up"})
        for base in (row["onprem_url"], f"/onprem/{row['instance']}"):
            with pytest.raises(httpx.ReadTimeout):
                graph.post(f"{base}/v1/users/login", auth=("admin", row["password"]), timeout=0.3)
        graph.post(control, json={"do": "firewall_down"})
        assert graph.post(f"{row['onprem_url']}/v1/users/login", auth=("admin", row["password"])).status_code == 200


def test_control_command_stops_and_starts_clients() -> None:
    with sandbox_process("--numbers", "2", "--kinds", "healthy,stop_fails") as (_, manifest):
        first, second = manifest["numbers"]

        def control(action: str, instance: str, url: str = manifest["sandbox_url"]) -> int:
            return client_commands.main(["--url", url, action, instance])

        arguments = ["--url", manifest["sandbox_url"], "stop", first["instance"]]
        command = [sys.executable, "-m", "sandbox.control.client_commands", *arguments]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        with graph_client(manifest) as graph:
            assert [row["instance"] for row in graph.get("/_sandbox/world").json()["numbers"]] == [
                "stopped",
                "connected",
            ]
        assert control("start", first["instance"]) == 0
        assert control("stop", second["instance"]) == 1
        assert control("stop", "none") == 1
        assert control("stop", first["instance"], "http://127.0.0.1:1") == 1
        with pytest.raises(SystemExit) as raised:
            control("stop", first["instance"], "file:///etc")
        assert raised.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_invalid_arguments_are_reported_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.count("\n") == 1


def test_upgrade_and_proxy_requests_are_answered_on_same_connection(running: Running) -> None:
    process, manifest = running
    host, _, port = manifest["graph_url"].partition("://")[2].partition(":")
    phone = manifest["numbers"][0]["phone_number_id"]
    head = f"HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {manifest['token']}\r\n"
    upgrade = f"GET /v25.0/{phone}?fields=id {head}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    proxied = f"GET http://graph.facebook.com/v25.0/{phone}?fields=id {head}\r\n"
    last = f"GET /v25.0/{phone}?fields=id {head}Connection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall((upgrade + proxied + last).encode())
        responses = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert responses.count(b"HTTP/1.1 200 OK") == responses.count(f'{{"id":"{phone}"}}'.encode()) == 3
    assert process.poll() is None


def test_head_is_get_without_body(running: Running) -> None:
    _, manifest = running
    with graph_client(manifest) as http:
        phone, waba = (f"/v25.0/{manifest['numbers'][0][name]}" for name in ("phone_number_id", "waba_id"))
        for path, status in ((phone, 200), (waba, 200), ("/v25.0/nothing", 400), (f"{phone}/register", 400)):
            head, get = http.head(path), http.get(path)
            assert (head.status_code, head.content, get.status_code) == (status, b"", status), path
            assert head.headers["content-length"] == str(len(get.content))
            assert "x-app-usage" in head.headers


def test_unusable_port_or_host_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for arguments in (
            ["--port", str(listener.getsockname()[1])],
            ["--host", "a..b"],
            ["--host", "nowhere.invalid"],
        ):
            command = [sys.executable, "-m", "sandbox", "--numbers", "1", *arguments]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
            assert result.stderr.startswith("cannot listen on ")
