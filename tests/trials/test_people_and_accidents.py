"""A worker dies, a hook goes away, a file is put back, a client dies: what a person types and sees is right."""

import signal
import sqlite3
from pathlib import Path

import pytest

from tests.trials.conftest import MakeOutside

pytestmark = pytest.mark.slow

ABORT = ("abort", "N-0001", "--because", "a trial", "--confirm", "N-0001")


def test_senders_that_an_abort_cannot_reach_are_told_later_and_listed_until_then(outside: MakeOutside) -> None:
    with outside("{kind: healthy}") as lab:
        with lab.mover() as mover:
            lab.until(lab.paused_senders)
            lab.proxy.away = {"/_sandbox/senders"}
            mover.send_signal(signal.SIGKILL)
        assert lab.cli.cutover(*ABORT).exit_code == 3
        status = lab.cli.cutover("status")
        assert status.exit_code == 3
        assert "have not confirmed that they go on" in status.stdout
        assert lab.status()["N-0001"]["on"] == "operator"
        lab.proxy.away = set()
        lab.until(lambda: lab.cli.cutover("sweep").exit_code == 0 and not lab.paused_senders())
        assert lab.cli.cutover("status").exit_code == 0
        assert lab.untrue() == []


def test_a_client_that_dies_while_its_number_is_held_is_told(outside: MakeOutside) -> None:
    with outside("{kind: healthy, count: 2}") as lab:
        assert lab.cli.cutover("hold", "N-0001", "--because", "a trial").exit_code == 0
        lab.cli.sandbox.control("POST", f"instances/{lab.cli.fleet[0]['instance']}", {"do": "stop"})
        lab.run_wave("--patience", "5")
        lab.until(lambda: lab.cli.cutover("sweep").exit_code == 3 and lab.status()["N-0001"]["dark_s"] is not None, 90)
        assert lab.cli.cutover("status").exit_code == 3
        assert lab.untrue() == []


def test_an_older_copy_of_the_database_says_of_no_number_where_it_is(outside: MakeOutside, tmp_path: Path) -> None:
    with outside("{kind: healthy, count: 2}") as lab:
        database, copy = lab.cli.home / "cutover.db", tmp_path / "copy.db"
        with sqlite3.connect(database) as live, sqlite3.connect(copy) as kept:
            live.backup(kept)
        assert lab.run_wave() == 0
        for path in lab.cli.home.glob("cutover.db*"):
            path.unlink()
        database.write_bytes(copy.read_bytes())
        assert {row["side"] for row in lab.status().values()} == {"unknown"}
        assert lab.run_wave("--patience", "0") == 3
        assert {row["side"] for row in lab.status().values()} == {"unknown"}
        lab.cli.cutover("restore", "--look")
        assert {row["side"] for row in lab.status().values()} == {"cloud"}
        assert len(lab.calls("register")) == 2
        assert lab.untrue() == []


def test_a_killed_worker_is_seen_within_seconds(outside: MakeOutside) -> None:
    with outside("{kind: healthy, count: 2}") as lab:
        with lab.mover() as mover:
            lab.until(lambda: lab.calls("register"))
            mover.send_signal(signal.SIGKILL)
        lab.until(lambda: not [row for row in lab.status().values() if row["status"] == "running"], 10)
        assert all(row["next_command"].startswith("cutover ") for row in lab.status().values() if row["next_command"])
        assert lab.run_wave("--patience", "100") == 0
        assert [len(lab.calls("register", number["e164"])) for number in lab.cli.fleet] == [1, 1]
        assert lab.untrue() == []
