"""A process that is suspended inside a write of SQLite: the others say so in one line, and go on afterwards."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.harness.cli_fixture import CliFixture

SUSPENDS_ITSELF = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE waves SET concurrency = concurrency")
os.kill(os.getpid(), signal.SIGSTOP)
connection.execute("COMMIT")
"""


@pytest.fixture
def suspended(cli: CliFixture) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", SUSPENDS_ITSELF, str(cli.home / "cutover.db")]) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("hold", "N-0001"), ("run",), ("sweep",)], ids=" ".join)
def test_a_suspended_writer_is_named_and_waited_out(
    cli: CliFixture, suspended: subprocess.Popen[bytes], command: tuple[str, ...]
) -> None:
    assert cli.cutover("status").exit_code == 0, "reading needs no lock"
    output = cli.cutover(*command)
    assert output.exit_code == 1
    assert "another process has held the database's lock for too long" in output.error_line
    suspended.send_signal(signal.SIGCONT)
    assert suspended.wait(timeout=30) == 0
    assert cli.cutover("hold", "N-0001").exit_code == 0
