"""`cutover serve` as a process: its ready line, its two ports, its child, its end, and clients that do not get on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from migration.runtime.process_tree import CODE_FOLDER, MARK_VARIABLE, marked_pids
from migration.web import slow_clients

CUTOVER = [sys.executable, "-P", "-m", "migration.cli"]


def environment(home: Path, mark: str = "", graph: str = "") -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
    own = {"CUTOVER_HOME": str(home), "CUTOVER_OPERATOR": "tester", "PYTHONPATH": str(CODE_FOLDER)}
    own |= {"CUTOVER_GRAPH_URL": graph} if graph else {}
    return inherited | own | ({MARK_VARIABLE: mark} if mark else {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    subprocess.run([*CUTOVER, "init"], env=environment(tmp_path / "home"), check=True, capture_output=True)
    return tmp_path / "home"


@contextmanager
def serving(
    home: Path, *options: str, mark: str = "", graph: str = ""
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [*CUTOVER, "serve", *(options or ("--port", "0"))]
    with (home.parent / "err.txt").open("w") as err:
        env = environment(home, mark, graph)
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=err, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_it_needs_no_option_is_ready_with_one_line_and_ends_soon(home: Path) -> None:
    mark = f"test-{os.getpid()}"
    with serving(home, "--port", "0", mark=mark) as (process, ready):
        assert set(ready) == {"url", "pages_url", "metrics_url", "webhook_urls", "public_url"}
        assert ready["webhook_urls"] == {}
        assert ready["url"].startswith("http://127.0.0.1:")
        assert httpx.get(f"{ready['url']}/healthz").json() == {"status": "ok"}
        assert httpx.get(ready["metrics_url"]).status_code == 200
        with httpx.Client() as browser:
            page = browser.get(ready["pages_url"], follow_redirects=True)
            assert (page.status_code, page.url.path) == (200, "/")
            assert "tester" in page.text
        assert httpx.get(f"{ready['public_url']}/").status_code == 404, "no operators' page on the second port"
        _until(lambda: len(marked_pids(mark)) == 2, "its child runs")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - began < 5
        assert marked_pids(mark) == set(), "the child has ended with it"


def test_its_child_ends_when_it_is_killed(home: Path) -> None:
    mark = f"killed-{os.getpid()}"
    with serving(home, "--port", "0", mark=mark) as (process, _):
        _until(lambda: len(marked_pids(mark)) == 2, "its child runs")
        process.kill()
        process.wait()
        _until(lambda: not marked_pids(mark), "the child has seen that its parent is gone")


def test_a_child_that_ends_is_started_again(home: Path) -> None:
    mark = f"again-{os.getpid()}"
    with serving(home, "--port", "0", mark=mark) as (process, ready):
        _until(lambda: len(marked_pids(mark)) == 2, "its child runs")
        (first,) = marked_pids(mark) - {process.pid}
        os.kill(first, signal.SIGKILL)
        _until(lambda: len(marked_pids(mark) - {first}) == 2, "another one runs")
        assert httpx.get(f"{ready['url']}/healthz").status_code == 200


def test_other_machines_need_a_named_way_to_sign_in(home: Path) -> None:
    command = [*CUTOVER, "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "names no way to sign in" in done.stderr


def test_a_taken_port_is_said_and_the_usual_one_is_left_for_another(home: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        command = [*CUTOVER, "serve", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "--port 0 takes a free one" in done.stderr


@pytest.mark.parametrize("port", [None, 99_999])
def test_a_second_port_that_cannot_be_had_names_its_own_setting(home: Path, port: int | None) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        listen = f"127.0.0.1:{port or taken.getsockname()[1]}"
        admin = home / "cutover.toml"
        admin.write_text(f'{admin.read_text()}\n[web]\npublic_listen = "{listen}"\n')
        command = [*CUTOVER, "serve", "--port", "0"]
        done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "`public_listen` in [web]" in done.stderr


def test_whoever_sends_far_too_much_and_hangs_up_sees_the_answer(home: Path) -> None:
    kind, length = "application/x-www-form-urlencoded", 20_000_000
    with serving(home, "--port", "0", "--no-moves") as (_, ready):
        host = ready["url"].removeprefix("http://")
        head = f"POST /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
        name, _, port = host.partition(":")
        with closing(socket.create_connection((name, int(port)), timeout=20)) as client:
            client.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + b" " * length)
            assert client.recv(1_000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_slow_and_odd_clients_hold_nothing_up(home: Path) -> None:
    with serving(home, "--port", "0", "--no-moves") as (_, ready):
        place = ("127.0.0.1", httpx.URL(ready["url"]).port or 0)
        silent = socket.create_connection(place)
        slow = socket.create_connection(place)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert b"400" in _ask(place, b"FOO\r\n\r\n")
        assert b"400" in _ask(place, b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        long = b"GET /" + b"x" * (slow_clients.MAX_HEAD + 1) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        assert b"400" in _ask(place, long)
        silent.settimeout(slow_clients.HEAD_WITHIN_S + 5)
        slow.settimeout(slow_clients.HEAD_WITHIN_S + 5)
        assert b"took too long" in silent.recv(4096)
        assert b"took too long" in slow.recv(4096)
        silent.close()
        slow.close()
        assert httpx.get(f"{ready['url']}/healthz").status_code == 200


def _ask(place: tuple[str, int], text: bytes) -> bytes:
    with closing(socket.create_connection(place, 10)) as sock:
        sock.sendall(text)
        return sock.recv(4096)


def _until(is_true: Any, what: str) -> None:
    end = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < end, f"not within 20 s: {what}"
        time.sleep(0.05)
