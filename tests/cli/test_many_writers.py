"""Two processes that move 200 numbers at once on one SQLite file, with `cutover status` every second beside them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from migration.demo.partner_files import WAVE, write_home
from tests.harness.servers import ROOT, sandbox_server

NUMBERS = 200
BETWEEN_LOOKS_S = 1.0
LONGEST_S = 900.0
LOCKED = ("database is locked", "held the database's lock", "DatabaseBusy", "Traceback")


class Home:
    """A home whose commands are processes of their own; what each of them prints is kept in a file."""

    def __init__(self, folder: Path, graph_url: str) -> None:
        self.folder, self.outputs = folder, list[Path]()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CUTOVER_", "PREFECT_"))}
        own = {"PYTHONPATH": str(ROOT), "CUTOVER_HOME": str(folder / "home"), "CUTOVER_GRAPH_URL": graph_url}
        self.environment = inherited | own

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        output = self.folder / f"{len(self.outputs)}.txt"
        self.outputs.append(output)
        command = [sys.executable, "-m", "migration.cli", *arguments]
        with output.open("wb") as file:
            return subprocess.Popen(command, env=self.environment, stdout=file, stderr=subprocess.STDOUT)

    def run(self, *arguments: str, ends_with: tuple[int, ...] = (0,)) -> None:
        code = self.begin(*arguments).wait(LONGEST_S)
        assert code in ends_with, (arguments, self.outputs[-1].read_text()[-2000:])

    def complaints(self) -> list[str]:
        lines = [line for output in self.outputs for line in output.read_text().splitlines()]
        return [line for line in lines if any(words in line for words in LOCKED)]


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[tuple[Home, str]]:
    """An imported fleet in a wave of 200 at once, and the address of its sandbox."""
    options = ("--numbers", str(NUMBERS), "--kinds", "healthy", "--switch", "management_limits=off")
    with sandbox_server(*options) as manifest:
        (tmp_path / "home").mkdir()
        inventory = write_home(tmp_path / "home", manifest)
        home = Home(tmp_path, manifest["graph_url"])
        home.run("init")
        home.run("import", str(inventory))
        home.run("plan", WAVE, "--concurrency", str(NUMBERS))
        yield home, manifest["sandbox_url"]


@pytest.mark.slow
def test_nobody_is_told_that_the_database_is_locked(moving: tuple[Home, str]) -> None:
    home, sandbox_url = moving
    movers = [home.begin("run", WAVE, "--concurrency", str(NUMBERS)) for _ in range(2)]
    end = time.monotonic() + LONGEST_S
    looks = 0
    while any(mover.poll() is None for mover in movers) and time.monotonic() < end:
        home.run("status", WAVE, ends_with=(0, 3))  # 3: senders are paused
        looks += 1
        time.sleep(BETWEEN_LOOKS_S)
    codes = [mover.wait(60) for mover in movers]
    assert home.complaints() == []
    # 3: it ended while the other one had numbers in hand.
    assert sorted(codes) in ([0, 0], [0, 3])
    assert looks > 3
    numbers = httpx.get(f"{sandbox_url}/_sandbox/world", trust_env=False, timeout=60).json()["numbers"]
    assert [number["side"] for number in numbers] == ["cloud"] * NUMBERS
