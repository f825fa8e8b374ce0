"""Several rotations of the master key at once, as processes of their own: no key is lost, and every number moves."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from state.database_lock import only_rotation
from tests.cli.side_effects import MakeOperator
from tests.harness.cli_fixture import CliFixture


@pytest.mark.slow
def test_rotations_at_once_lose_no_key(cli: CliFixture) -> None:
    key_file = cli.home / "master.key"
    first = key_file.read_text().split()
    command = [sys.executable, "-m", "migration.cli", "rotate-key", "--json"]
    environment = {**os.environ, **cli.env}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    verbs = [cli.cutover("status").exit_code for _ in range(3)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in processes]
    codes = [code for _, code in ended]
    assert set(codes) <= {0, 11}, ended
    assert 0 in codes
    assert set(verbs) <= {0, 3}
    keys = key_file.read_text().split()
    assert (keys[-1:], len(keys)) == (first, 1 + codes.count(0))
    assert cli.cutover("rotate-key", "--dry-run", "--json").document["now"]["under_older_keys"] == 0
    key_file.write_text(keys[0] + "\n")
    assert cli.cutover("run").exit_code in (0, 3, 4)
    assert cli.cutover("audit", "verify").exit_code == 0
    assert not list(cli.home.glob(".master.key.[0-9]*"))


@pytest.mark.slow
def test_a_rotation_on_another_machine_makes_this_one_wait(make_operator: MakeOperator) -> None:
    """The other machine has a home folder of its own and the same database."""
    operator = make_operator(kinds=["healthy"])
    url, keys = operator.harness.settings.database, operator.harness.settings.key_path
    if not url.startswith("postgresql"):
        pytest.skip("a file of SQLite is on one machine, and the lock beside the key is enough there")
    operator.import_numbers()
    before, held, ends = keys.read_text(), threading.Event(), threading.Event()

    async def rotate_elsewhere() -> None:
        async with only_rotation(url):
            held.set()
            await asyncio.to_thread(ends.wait, 60)

    other = threading.Thread(target=asyncio.run, args=(rotate_elsewhere(),))
    other.start()
    try:
        assert held.wait(10)
        output = operator.cutover("rotate-key")
    finally:
        ends.set()
        other.join()
    assert (output.exit_code, keys.read_text()) == (11, before)
    assert operator.cutover("rotate-key").exit_code == 0
