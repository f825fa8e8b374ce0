"""Import of a fleet: all of it or nothing, an itinerary for each number, and an interrupted import is finished."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from migration.app import App
from migration.errors import CredentialsRefused, Transient
from migration.fleet.bad_inventory import BadInventory
from migration.fleet.census import NotLooked
from migration.fleet.importing import _read_and_check, begin_migrations, correct_fleet, import_fleet
from migration.fleet.listed_numbers import read_listed_numbers
from migration.preflight.assessment import run_preflight
from sandbox.scenarios.kinds import KINDS
from state.errors import Conflict
from state.ledger.import_stage import DEAD_AFTER
from state.ledger.profiles import NewProfile
from state.models import Base, InstanceTable, NumberTable
from tests.harness.crash_point import Killed
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.ledger_fixture import new_number
from tests.harness.partner_files import write_inventory
from tests.unit.clients.graph_stub import graph_api


def tick(done: int, of: int) -> None:
    pass


async def row_counts(app: App) -> dict[str, int]:
    """The number of rows of each table that has any; counters, the home and counted calls may always have some."""
    async with app.database.connect() as connection:
        counts = {
            name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counts.items() if count and name not in ("counters", "home", "call_budgets")}


def changed_inventory(harness: Harness, change: Callable[[list[dict[str, Any]]], None], **columns: str) -> Path:
    """An inventory file whose rows `change` was applied to."""
    numbers = [dict(row) for row in harness.sandbox.manifest("http://sandbox.localhost")["numbers"]]
    change(numbers)
    path = harness.folder / "fleet.csv"
    write_inventory(path, numbers, columns)
    return path


def duplicate_number(numbers: list[dict[str, Any]]) -> None:
    numbers[2]["e164"] = numbers[0]["e164"]


def another_number(numbers: list[dict[str, Any]]) -> None:
    numbers[1]["e164"] = "+4915123456781"


def unknown_to_graph(numbers: list[dict[str, Any]]) -> None:
    numbers[1]["phone_number_id"] = "999999999999999"


def another_waba(numbers: list[dict[str, Any]]) -> None:
    numbers[2]["waba_id"] = "888888888888888"


BAD_ROWS: dict[str, tuple[Callable[[list[dict[str, Any]]], None], dict[str, str], list[tuple[int, str]]]] = {
    "the same number twice": (duplicate_number, {}, [(4, "e164")]),
    "not what Graph shows": (another_number, {}, [(3, "e164")]),
    "not in the WABA": (unknown_to_graph, {}, [(3, "phone_number_id")]),
    "a WABA that the token may not read": (another_waba, {}, [(4, "waba_id")]),
    "a command that is not named": (
        lambda numbers: None,
        {"start_command": "boot"},
        [(n, "start_command") for n in (2, 3, 4)],
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
async def test_a_bad_row_imports_nothing(make_harness: MakeHarness, case: str) -> None:
    change, columns, expected = BAD_ROWS[case]
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        before = await row_counts(app)
        with pytest.raises(BadInventory) as raised:
            await import_fleet(app, changed_inventory(harness, change, **columns), "tester", tick)
        assert [(bad.line, bad.column) for bad in raised.value.bad] == expected
        assert await row_counts(app) == before


@pytest.mark.parametrize(("kind", "error"), [("500", Transient), ("reset_before", Transient), ("html", Transient)])
async def test_an_unreachable_graph_imports_nothing(
    make_harness: MakeHarness, kind: str, error: type[Exception]
) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    harness.sandbox.faults.add("*", kind, times=0)
    async with harness.worker() as app:
        before = await row_counts(app)
        with pytest.raises(error):
            await import_fleet(app, harness.inventory(), "tester", tick)
        assert await row_counts(app) == before


async def test_a_refused_token_imports_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    (harness.folder / "token").write_text("EAAG-another")
    async with harness.worker() as app:
        before = await row_counts(app)
        with pytest.raises(CredentialsRefused):
            await import_fleet(app, harness.inventory(), "tester", tick)
        assert await row_counts(app) == before


async def test_the_same_fleet_is_not_imported_twice(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        await harness.import_numbers(app)
        before = await row_counts(app)
        with pytest.raises(Conflict, match="line 2: a number with this"):
            await import_fleet(app, harness.inventory(), "tester", tick)
        assert await row_counts(app) == before


@pytest.mark.parametrize("commit", [1, 2, 3])  # its beginning, its batch, and the rows that are seen
async def test_an_import_killed_while_it_writes_rows_shows_none(make_harness: MakeHarness, commit: int) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    harness.crash_point.at_commit = commit
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await import_fleet(app, harness.inventory(), "tester", tick)
    harness.crash_point.at_commit = None
    harness.clock.advance(DEAD_AFTER.total_seconds())
    async with harness.worker() as app:
        assert not {"numbers", "customers", "wabas", "credential_profiles"} & set(await row_counts(app))
        await import_fleet(app, harness.inventory(), "tester", tick)
        counts = await row_counts(app)
    assert {name: counts[name] for name in ("numbers", "instances", "imports")} == {
        "numbers": 2,
        "instances": 2,
        "imports": 1,
    }


# The calls of the list are the first commit; that its WABA is active may be another; the rows come three later.
@pytest.mark.parametrize(("kind", "at_commit"), [("healthy", 5), ("no_backup", 5), ("on_cloud", 6)])
async def test_an_import_killed_after_its_rows_is_finished_by_the_next_one(
    make_harness: MakeHarness, kind: str, at_commit: int
) -> None:
    harness = await make_harness(kinds=[kind])
    harness.crash_point.at_commit = at_commit
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await import_fleet(app, harness.inventory(), "tester", tick)
    harness.crash_point.at_commit = None
    async with harness.worker() as app:
        counts = await row_counts(app)
        assert counts["numbers"] == 1
        assert "number_migrations" not in counts
        assert len(await app.queries.fleet.undecided()) == 1
        await begin_migrations(app, {}, "tester", tick)
        itineraries = [position.itinerary for position in await app.queries.positions.board()]
        assert itineraries == {"healthy": ["WITH_BACKUP"], "no_backup": ["CODE_FIRST"], "on_cloud": []}[kind]
        others = [row["disposition"] for row in await app.queries.fleet.without_migration()]
        assert others == (["already_on_cloud"] if kind == "on_cloud" else [])
        before = await row_counts(app)
        assert await begin_migrations(app, {}, "tester", tick) == ()
        assert await row_counts(app) == before


# -- one number that cannot be looked at


async def imported_without_itineraries(harness: Harness) -> None:
    """The rows of a fleet, as an import leaves them that was cut off after they were written."""
    async with harness.worker() as app:
        rows, _, sealer = await _read_and_check(app, harness.inventory())
        profiles = [NewProfile(name, app.admin.profiles[name].app_id) for name in sealer.profiles]
        await app.ledger.fleet_import.import_numbers(
            profiles, rows, sealer, holder=app.holder, is_gone=lambda holder: False
        )


async def test_after_a_throttled_answer_nothing_of_the_waba_is_read_before_its_end(
    make_harness: MakeHarness,
) -> None:
    """More calls would lengthen the wait; after it, all of them are looked at."""
    harness = await make_harness(kinds=["healthy"] * 3)
    await imported_without_itineraries(harness)
    # Whichever comes first is read by itself; the others are listed.
    harness.sandbox.faults.add("get.number", "429")
    async with harness.worker() as app:
        results = await begin_migrations(app, {}, "tester", tick)
        assert [result for result in results if isinstance(result.choice, NotLooked)]
        before = len(harness.sandbox.world.calls)
        await begin_migrations(app, {}, "tester", tick)
        calls = [call.call for call in harness.sandbox.world.calls[before:]]
        assert not any(call.startswith("get.") for call in calls)
        harness.clock.advance(61)
        await begin_migrations(app, {}, "tester", tick)
        assert len(await app.queries.positions.board()) == 3


@pytest.mark.parametrize("kind", ["500", "reset_before", "html", "truncated", "empty"])
async def test_a_number_that_graph_does_not_show_now_keeps_no_other_from_its_itinerary(
    make_harness: MakeHarness, kind: str
) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    await imported_without_itineraries(harness)
    # Whichever comes first is read by itself; the others are listed.
    harness.sandbox.faults.add("get.number", kind, times=0)
    async with harness.worker() as app:
        results = await begin_migrations(app, {}, "tester", tick)
        (odd,) = [result.e164 for result in results if isinstance(result.choice, NotLooked)]
        assert len(await app.queries.positions.board()) == 2
        harness.sandbox.faults.clear()
        (late,) = await begin_migrations(app, {}, "tester", tick)
        assert late.e164 == odd
        assert late.migration_id is not None


def exchanged_clients(numbers: list[dict[str, Any]]) -> None:
    """As where a column of a spreadsheet was sorted by itself."""
    for column in ("instance", "onprem_url", "username", "password"):
        numbers[0][column], numbers[1][column] = numbers[1][column], numbers[0][column]


async def test_numbers_with_exchanged_clients_begin_once_each_has_its_own(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        results = await import_fleet(app, changed_inventory(harness, exchanged_clients), "tester", tick)
        wrong = [result.choice.reason for result in results if isinstance(result.choice, NotLooked)]
        assert len(wrong) == 2
        assert all("its On-Premises client is not its own: it is registered for +" in reason for reason in wrong)
        assert [one.ref for one in await app.queries.positions.board()] == ["N-0003"]
        _, begun = await correct_fleet(app, harness.inventory(), "tester", tick)
        assert [result.onprem_reading for result in begun] == ["serving", "serving"]
        assert len(await app.queries.positions.board()) == 3


async def test_a_number_whose_instance_has_a_bad_address_keeps_no_other_from_its_itinerary(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    await imported_without_itineraries(harness)
    async with harness.worker() as app:
        async with app.database.begin() as connection:
            first = select(func.min(InstanceTable.id)).scalar_subquery()
            await connection.execute(
                update(InstanceTable).where(InstanceTable.id == first).values(base_url="https://host:port")
            )
        results = await begin_migrations(app, {}, "tester", tick)
        (odd,) = [result.choice for result in results if isinstance(result.choice, NotLooked)]
        assert "has no port from 1 to 65535 after the colon; `cutover import FILE --correct`" in odd.reason
        assert len(await app.queries.positions.board()) == 2


async def test_a_number_that_graph_shows_as_another_one_later_is_not_begun(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    await imported_without_itineraries(harness)
    async with harness.worker() as app:
        async with app.database.begin() as connection:
            await connection.execute(
                update(NumberTable).where(NumberTable.ref == "N-0001").values(e164="+4915123456781")
            )
        results = await begin_migrations(app, {}, "tester", tick)
        reasons = [result.choice.reason for result in results if isinstance(result.choice, NotLooked)]
        assert len(reasons) == 1
        assert "Graph shows" in reasons[0]


async def test_a_waba_that_does_not_answer_keeps_no_other_one_out() -> None:
    rows = [new_number(index, waba_id=waba, phone_number_id=f"10000{index}") for index, waba in enumerate("12")]

    def answer(request: httpx.Request) -> httpx.Response:
        if "/1/phone_numbers" in str(request.url):
            return httpx.Response(500)
        return httpx.Response(200, json={"data": [{"id": "100001"}]})

    listed, bad = await read_listed_numbers(rows, {"main": graph_api(answer)})
    assert (list(listed), bad) == (["100001"], [])
    with pytest.raises(Transient):
        await read_listed_numbers(rows[:1], {"main": graph_api(answer)})


async def test_a_row_that_cannot_be_read_now_is_no_bad_row() -> None:
    rows = [new_number(1, phone_number_id="100001"), new_number(2, phone_number_id="100002")]

    def answer(request: httpx.Request) -> httpx.Response:
        if "phone_numbers" in str(request.url):
            return httpx.Response(200, json={"data": [{"id": "100001"}]})
        return httpx.Response(503)

    listed, bad = await read_listed_numbers(rows, {"main": graph_api(answer)})
    assert (list(listed), bad) == (["100001"], [])


async def test_a_waba_that_shows_nothing_is_no_fault_of_its_numbers() -> None:
    rows = [new_number(index, line=index + 1, phone_number_id=f"10000{index}") for index in (1, 2)]

    def answer(request: httpx.Request) -> httpx.Response:
        if "phone_numbers" in str(request.url):
            return httpx.Response(200, json={"data": []})
        return httpx.Response(400, json={"error": {"code": 100, "error_subcode": 1, "message": "no"}})

    _, (bad,) = await read_listed_numbers(rows, {"main": graph_api(answer)})
    assert (bad.line, bad.column) == (2, "waba_id")
    assert "no number of it to the token of profile main" in bad.reason


# -- the itinerary of each kind of number in the sandbox

ON_PREMISES, NEITHER, UNKNOWN = ("on_premises", False), ("neither", True), ("unknown", False)
WITH_BACKUP = ("WITH_BACKUP", *ON_PREMISES)
KIND: dict[str, tuple[str, str, bool]] = dict.fromkeys(KINDS, WITH_BACKUP) | {
    "new": ("ONBOARD", NEITHER[0], False),
    "dark": ("CODE_AFTER", *NEITHER),
    "host_gone": ("CODE_AFTER", *UNKNOWN),
    "stopped": ("CODE_AFTER", *UNKNOWN),
    "expired": ("CODE_AFTER", *NEITHER),
    "no_backup": ("CODE_FIRST", *ON_PREMISES),
    "code_refused": ("CODE_FIRST", *ON_PREMISES),
    "first_code_lost": ("CODE_FIRST", *ON_PREMISES),
    "coreapp_down": ("CODE_AFTER", *UNKNOWN),
    "first_login": ("WITH_BACKUP", *UNKNOWN),
    "business_app": ("CODE_AFTER", "unknown", False),  # its first step blocks it for an operator
    "banned": ("CODE_AFTER", "unknown", False),
}


async def test_every_kind_of_number_gets_its_itinerary(make_harness: MakeHarness) -> None:
    kinds = sorted(KINDS)
    harness = await make_harness(kinds=kinds)
    async with harness.worker() as app:
        imported = await import_fleet(app, harness.inventory(), "tester", tick)
        board = {position.e164: position for position in await app.queries.positions.board()}
    actual = {
        row["kind"]: (position.itinerary, position.side.value, position.dark_since is not None)
        for row in harness.sandbox.manifest("http://sandbox.localhost")["numbers"]
        if (position := board.get(row["e164"])) is not None
    }
    assert len(imported) == len(kinds)
    assert actual == {kind: expected for kind, expected in KIND.items() if kind not in ("on_cloud", "deleted")}
    assert all(not position.dark_by_us for position in board.values())


@pytest.mark.parametrize("reads", [33, "DELETED"])
async def test_a_number_deleted_at_meta_is_imported_as_deleted(make_harness: MakeHarness, reads: object) -> None:
    harness = await make_harness(kinds=["healthy", "deleted"], switches={"deleted_number_reads": reads})
    async with harness.worker() as app:
        assert [position.ref for position in await harness.import_numbers(app)] == ["N-0001"]
        (row,) = await app.queries.fleet.without_migration()
        assert (row["ref"], row["disposition"]) == ("N-0002", "deleted")


async def test_a_number_that_graph_does_not_know_is_a_bad_row(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    unknown = harness.inventory()
    last = harness.sandbox.manifest("http://sandbox.localhost")["numbers"][1]["phone_number_id"]
    unknown.write_text(unknown.read_text().replace(last, "999999999999999"))
    async with harness.worker() as app:
        before = await row_counts(app)
        with pytest.raises(BadInventory) as raised:
            await import_fleet(app, unknown, "tester", tick)
        assert [(bad.line, bad.column) for bad in raised.value.bad] == [(3, "phone_number_id")]
        assert await row_counts(app) == before


async def test_a_number_on_cloud_is_imported_without_a_migration(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["on_cloud"])
    async with harness.worker() as app:
        assert await harness.import_numbers(app) == []
        (row,) = await app.queries.fleet.without_migration()
        assert (row["ref"], row["disposition"]) == ("N-0001", "already_on_cloud")
    assert (
        list(harness.sandbox.mutations(harness.sandbox.manifest("http://sandbox.localhost")["numbers"][0]["e164"]))
        == []
    )


async def test_a_dark_number_is_dark_on_arrival_and_not_by_us(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["dark"], world="after-sunset")
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert (position.side, position.dark_since, position.dark_by_us) == ("neither", harness.clock.now(), False)


async def test_an_import_and_a_preflight_change_nothing_on_either_side(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy", "no_backup", "dark", "host_gone"])
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
    async with harness.worker(dry_run=True) as app:
        reports = await run_preflight(app, board)
    assert len(reports) == 4
    for position in board:
        assert [call for call in harness.mutations(position) if call != "onprem.backup"] == []


@pytest.mark.parametrize("kind", ["healthy", "dark"])
async def test_a_number_that_graph_writes_otherwise_is_taken_in_and_named(make_harness: MakeHarness, kind: str) -> None:
    harness = await make_harness(kinds=[kind])
    (number,) = harness.sandbox.world.numbers.values()

    def dialled(numbers: list[dict[str, Any]]) -> None:
        numbers[0]["e164"] = "+525512345678"

    number.e164 = "+5215512345678"
    async with harness.worker() as app:
        (result,) = await import_fleet(app, changed_inventory(harness, dialled), "tester", tick)
        position = await app.queries.positions.find("+52 1 55 1234 5678")
    assert (position.ref, position.e164) == (result.ref, "+525512345678")
    assert position.because.endswith(
        "; Graph writes the number +521•••5678, the inventory +525•••5678: it is the same one"
    )
