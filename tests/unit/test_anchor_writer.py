"""Anchors of the record: a line a change, also to a webhook; what fails is said in the log and stops nothing."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from migration.clients.http import HttpClient
from migration.errors import BadSetting
from migration.home.anchor_writer import AnchorWriter
from migration.home.identity_file import read_identity
from migration.home.record_anchor import RecordAnchor
from state.record_key import RecordKey
from tests.harness.clock import START, FakeClock
from tests.harness.ledger_fixture import LedgerFixture, open_ledger_fixture

KEY = RecordKey(b"k" * 32)
WEBHOOK = "https://keeper.example/anchors"


@pytest.fixture
async def fixture(sqlite_url: str) -> AsyncIterator[LedgerFixture]:
    async with open_ledger_fixture(sqlite_url) as opened:
        yield opened


def writer(fixture: LedgerFixture, path: Path, answer: Callable[[httpx.Request], httpx.Response]) -> AnchorWriter:
    anchor = RecordAnchor(path, KEY, fixture.now.isoformat)
    return AnchorWriter(anchor, fixture.queries, HttpClient(httpx.MockTransport(answer), FakeClock(START)), WEBHOOK)


async def test_a_line_is_written_and_sent_where_a_chain_has_moved(fixture: LedgerFixture, tmp_path: Path) -> None:
    sent: list[bytes] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200)

    anchors = writer(fixture, tmp_path / "anchors.jsonl", take)
    await fixture.import_number(1)
    await anchors.write()
    await anchors.write()  # nothing has moved
    await fixture.import_number(2)
    await anchors.write()
    lines = (tmp_path / "anchors.jsonl").read_bytes().splitlines()
    assert sent == lines
    assert [sorted(json.loads(line)["chains"]) for line in lines] == [["home", "m1"], ["m2"]]
    assert (tmp_path / "anchors.jsonl").stat().st_mode & 0o077 == 0


async def test_two_writers_follow_each_other(fixture: LedgerFixture, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    first, second = (writer(fixture, path, lambda _request: httpx.Response(200)) for _ in range(2))
    for index, anchors in enumerate((first, second, first), 1):
        await fixture.import_number(index)
        await anchors.write()
    read = RecordAnchor(path, KEY, str).read()
    assert (read.bad_line, read.lines) == (None, 3)
    assert {"m1", "m2", "m3"} <= set(read.chains)


@pytest.mark.parametrize("answer", ["refused", "gone", "read-only"])
async def test_what_fails_is_said_and_stops_nothing(
    fixture: LedgerFixture, tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    def take(_request: httpx.Request) -> httpx.Response:
        if answer == "gone":
            raise httpx.ConnectError("no route")
        return httpx.Response(503)

    path = tmp_path / ("anchors.jsonl" if answer != "read-only" else "no/such/folder/anchors.jsonl")
    with caplog.at_level(logging.WARNING):
        await writer(fixture, path, take).write()
    assert "anchor" in caplog.text


@pytest.mark.parametrize(
    ("odd", "found"),
    [
        ("[" * 5000, False),  # not even JSON, as after a kill
        ('["mac"]', False),
        ('{"mac": "x", "key": "KEY"}', True),
        ('{"mac": "x", "key": "KEY", "epoch": 0, "mark": null, "at": "", "chains": [1]}', True),
    ],
)
async def test_a_line_of_another_hand_stops_no_worker(
    fixture: LedgerFixture, tmp_path: Path, odd: str, found: bool
) -> None:
    path = tmp_path / "anchors.jsonl"
    await fixture.import_number(1)
    await writer(fixture, path, lambda _request: httpx.Response(200)).write()
    with path.open("a") as file:
        file.write(odd.replace("KEY", KEY.name()) + "\n")
    await fixture.import_number(2)
    await writer(fixture, path, lambda _request: httpx.Response(200)).write()
    read = RecordAnchor(path, KEY, str).read()
    assert (read.bad_line, {"m1", "m2"} <= set(read.chains)) == (2 if found else None, True)


def test_an_identity_of_brackets_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text("[" * 5000)
    with pytest.raises(BadSetting, match="is damaged"):
        read_identity(tmp_path / "home.json")
