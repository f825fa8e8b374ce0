"""Real processes: a number that is dark by us has told a person within 60 s, whichever process is killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migration.runtime.process_tree import CODE_FOLDER
from tests.harness.cli_fixture import CliFixture, build_cli_fixture, run_sandbox
from tests.harness.listener import Listener, listening

pytestmark = pytest.mark.slow
WITHIN_S = 60.0
CUTOVER = [sys.executable, "-P", "-m", "migration.cli"]


class Processes:
    """`cutover` as processes of their own in one home, all of them killed at the end."""

    def __init__(self, cli: CliFixture) -> None:
        self._env = {**os.environ, **cli.env, "PYTHONPATH": str(CODE_FOLDER)}
        self._log = (cli.home.parent / "log.txt").open("w")
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [*CUTOVER, *arguments]
        process = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()
        self._log.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[CliFixture, Processes, Listener]]:
    """Two numbers that have to be stopped before a code can be asked for, and somebody at both phones."""
    with run_sandbox("--numbers", "2", "--kinds", "code_refused", "--seed", "5") as sandbox, listening() as listener:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        admin = cli.home / "cutover.toml"
        admin.write_text(admin.read_text() + f'\n[[notify]]\nurl = "{listener.url}"\nkinds = ["dark"]\n')
        assert cli.cutover("import", cli.inventory(itinerary="CODE_AFTER")).exit_code == 0
        processes = Processes(cli)
        yield cli, processes, listener
        processes.end()


@pytest.mark.parametrize("left", ["a worker", "serve"])
def test_darkness_is_told_in_time(home: tuple[CliFixture, Processes, Listener], left: str) -> None:
    cli, processes, listener = home
    serve = processes.start("serve", "--port", "0")
    assert serve.stdout is not None
    assert "pages_url" in json.loads(serve.stdout.readline())
    workers = [processes.start("run", ref, "--patience", "900") for ref in ("N-0001", "N-0002")]
    began = _wait(lambda: _dark(cli) == {"N-0001", "N-0002"}, 40.0)
    assert [worker.poll() for worker in workers] == [None, None], "they wait for the codes"
    workers[0].send_signal(signal.SIGKILL)
    (serve if left == "a worker" else workers[1]).send_signal(signal.SIGKILL)
    _wait(lambda: all(ref in "".join(listener.bodies) for ref in ("N-0001", "N-0002")), WITHIN_S)
    assert time.monotonic() - began < WITHIN_S
    assert "dark" in json.loads(listener.bodies[0])["title"]


def _dark(cli: CliFixture) -> set[str]:
    numbers: list[dict[str, Any]] = cli.cutover("status", "--json").document["numbers"]
    return {number["ref"] for number in numbers if number["dark_by_us"]}


def _wait(is_so: Any, within_s: float) -> float:
    """Look four times a second; gives the time before the last look that it was not so."""
    ends, before = time.monotonic() + within_s, time.monotonic()
    while not is_so():
        assert time.monotonic() < ends, "it took too long"
        before = time.monotonic()
        time.sleep(0.25)
    return before
