"""Odd answers through both clients and the hooks: no error outside our tree, bounded memory, every call in its time."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from migration.clients.graph import GraphApi
from migration.clients.onprem import OnPremApi
from migration.clients.traffic_hooks import TrafficHooks
from tests.odd_answers.calls import CALLS

ROOT = Path(__file__).resolve().parents[2]
MOST_MIB = 200


@pytest.mark.parametrize("count", [500, pytest.param(25_000, marks=pytest.mark.slow)])
def test_odd_answers_become_errors_of_ours_in_time_and_in_little_memory(count: int) -> None:
    argv = [sys.executable, "-W", "error", "-m", "tests.odd_answers", str(count), "11"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["answers"] == count
    assert report["outside_our_tree"] == []
    assert report["too_long"] == []
    assert report["peak_mib"] < MOST_MIB, report
    assert {"answered", "Transient", "OutcomeUnknown", "Rejected", "Throttled"} <= report["outcomes"].keys()


def test_every_call_of_the_clients_is_sent_through() -> None:
    made = {name for call, _ in CALLS.values() for name in call.__code__.co_names}
    clients = (GraphApi, OnPremApi, TrafficHooks)
    calls = {name for client in clients for name, of in vars(client).items() if inspect.iscoroutinefunction(of)}
    assert {name for name in calls if not name.startswith("_")} <= made
