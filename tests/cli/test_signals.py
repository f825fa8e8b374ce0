"""Signals to a real process: at any moment of its start, twice, and while its output is read no more."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.cli_fixture import CliFixture

PROGRAM = Path(__file__).with_name("stopped_command.py")
MOMENTS = [
    ("import", "'typer'"),
    ("import", "'sqlalchemy'"),
    ("import", "'migration.waves.loop'"),
    ("open", "cutover.toml"),
    ("sqlite3.connect", ""),
    ("socket.connect", ""),
]


def _run(cli: CliFixture, moment: tuple[str, str], signals: list[int], *arguments: str) -> tuple[int, str, str, float]:
    """Exit code, both outputs, and seconds."""
    command = [sys.executable, str(PROGRAM), *moment, ",".join(map(str, signals)), *arguments]
    environment = {**os.environ, **cli.env, "PYTHONPATH": str(Path.cwd())}
    began = time.monotonic()
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout, done.stderr, time.monotonic() - began


@pytest.mark.parametrize("moment", MOMENTS, ids="-".join)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_run_that_is_stopped_while_it_starts_names_what_it_leaves(
    cli: CliFixture, moment: tuple[str, str], number: signal.Signals
) -> None:
    if number is not signal.SIGTERM and moment != MOMENTS[1]:
        pytest.skip("the moments are the same for every signal")
    seen = len(cli.sandbox.control("GET", "calls")["calls"])
    exit_code, stdout, stderr, _ = _run(cli, moment, [number], "run", "--json")
    document = json.loads(stdout.splitlines()[-1])
    assert (exit_code, document["stopped"]) == (3, True), stderr
    assert document["left"]
    assert all(row["ref"] and row["next_step"] and row["next_command"] for row in document["left"])
    assert not any(number["e164"] in stdout + stderr for number in cli.fleet)
    assert "Traceback" not in stderr
    calls = [call["call"] for call in cli.sandbox.control("GET", "calls")["calls"][seen:]]
    assert not {"register", "pause_sends"} & set(calls)


@pytest.mark.parametrize("verb", ["run", "sweep", "status", "preflight"])
def test_a_second_signal_ends_the_process_quietly(cli: CliFixture, verb: str) -> None:
    exit_code, stdout, stderr, seconds = _run(
        cli, ("sqlite3.connect", ""), [signal.SIGTERM, signal.SIGTERM], verb, "--json"
    )
    assert (exit_code, stdout, stderr) == (130, "", "")
    assert seconds < 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_second_signal_ends_a_process_whose_thread_hangs(cli: CliFixture, number: signal.Signals) -> None:
    """A resolver, or a file on a server that is gone: such a thread would be waited for without an end."""
    command = [sys.executable, str(PROGRAM), "open", "cutover.toml", str(int(number)), "run", "--json"]
    environment = {**os.environ, **cli.env, "PYTHONPATH": str(Path.cwd()), "HANG": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        last = next(line for line in iter(process.stdout.readline, "") if line.startswith("{"))
        assert process.stderr is not None
        began = time.monotonic()
        process.send_signal(number)
        exit_code, stderr = process.wait(timeout=30), process.stderr.read()
        took = time.monotonic() - began
    assert json.loads(last)["stopped"] is True
    assert (exit_code, "Traceback" in stderr) == (130, False)
    assert took < 5, "a second on a machine with nothing else to do"


@pytest.mark.parametrize("verb", ["status", "preflight", "import"])
def test_another_command_ends_at_the_first_signal_in_one_line(cli: CliFixture, verb: str) -> None:
    arguments = [verb, cli.inventory()] if verb == "import" else [verb]
    exit_code, stdout, stderr, _ = _run(cli, ("sqlite3.connect", ""), [signal.SIGINT], *arguments)
    assert (exit_code, stdout, len(stderr.splitlines())) == (130, "", 1), stderr
    assert "stopped by hand" in stderr


def test_a_closed_pipe_is_no_error(cli: CliFixture) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "migration.cli", "status"],
        env={**os.environ, **cli.env, "PYTHONPATH": str(Path.cwd())},
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(write_end)
    assert (done.returncode in (1, 141), done.stderr) == (True, "")
