"""Taking a fleet in: all of it or nothing, each number's way chosen, and what was cut off is taken up again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from migration.app import App
from migration.errors import CredentialsRefused, Transient
from migration.fleet.importing import BadInventory, begin_migrations, import_fleet
from migration.preflight.assessment import run_preflight
from sandbox.scenarios.kinds import KINDS
from state.errors import Conflict
from state.models import Base
from tests.conftest import MakeRig
from tests.harness.in_process import Killed, Rig, write_inventory


def tick(done: int, of: int) -> None:
    pass


async def rows(app: App) -> dict[str, int]:
    """How many rows each table has, those that have none left out."""
    async with app.database.connect() as connection:
        counted = {
            name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counted.items() if count}


def changed(rig: Rig, change: Callable[[list[dict[str, Any]]], None], **columns: str) -> Path:
    """The inventory with the sandbox's numbers changed first."""
    numbers = [dict(row) for row in rig.sandbox.manifest("http://sandbox")["numbers"]]
    change(numbers)
    path = rig.folder / "fleet.csv"
    write_inventory(path, numbers, columns)
    return path


def twice(numbers: list[dict[str, Any]]) -> None:
    numbers[2]["e164"] = numbers[0]["e164"]


def another_number(numbers: list[dict[str, Any]]) -> None:
    numbers[1]["e164"] = "+4915123456781"


def unknown_to_graph(numbers: list[dict[str, Any]]) -> None:
    numbers[1]["phone_number_id"] = "999999999999999"


def another_waba(numbers: list[dict[str, Any]]) -> None:
    numbers[2]["waba_id"] = "888888888888888"


BAD: dict[str, tuple[Callable[[list[dict[str, Any]]], None], dict[str, str], list[tuple[int, str]]]] = {
    "the same number twice": (twice, {}, [(4, "e164")]),
    "not what Graph shows": (another_number, {}, [(3, "e164")]),
    "not in the WABA": (unknown_to_graph, {}, [(3, "phone_number_id")]),
    "a WABA that the token may not read": (another_waba, {}, [(4, "waba_id")]),
    "a command that is not named": (
        lambda numbers: None,
        {"start_command": "boot"},
        [(n, "start_command") for n in (2, 3, 4)],
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_row_keeps_everything_out(rig: MakeRig, what: str) -> None:
    change, columns, expected = BAD[what]
    told = await rig(kinds=["healthy"] * 3)
    async with told.worker() as app:
        with pytest.raises(BadInventory) as raised:
            await import_fleet(app, changed(told, change, **columns), "tester", tick)
        assert [(bad.line, bad.column) for bad in raised.value.bad] == expected
        assert await rows(app) == {}


@pytest.mark.parametrize(("kind", "error"), [("500", Transient), ("reset_before", Transient), ("html", Transient)])
async def test_a_silent_graph_keeps_everything_out(rig: MakeRig, kind: str, error: type[Exception]) -> None:
    told = await rig(kinds=["healthy"] * 2)
    told.sandbox.faults.add("*", kind, times=0)
    async with told.worker() as app:
        with pytest.raises(error):
            await import_fleet(app, told.inventory(), "tester", tick)
        assert await rows(app) == {}


async def test_a_refused_token_keeps_everything_out(rig: MakeRig) -> None:
    told = await rig()
    (told.folder / "token").write_text("EAAG-another")
    async with told.worker() as app:
        with pytest.raises(CredentialsRefused):
            await import_fleet(app, told.inventory(), "tester", tick)
        assert await rows(app) == {}


async def test_the_same_fleet_is_not_taken_in_twice(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 2)
    async with told.worker() as app:
        await told.imported(app)
        before = await rows(app)
        with pytest.raises(Conflict, match="line 2: a number with this"):
            await import_fleet(app, told.inventory(), "tester", tick)
        assert await rows(app) == before


async def test_a_kill_while_the_rows_are_written_leaves_none(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 2)
    told.scythe.at_commit = 1
    with pytest.raises(Killed):
        async with told.worker() as app:
            await import_fleet(app, told.inventory(), "tester", tick)
    told.scythe.at_commit = None
    async with told.worker() as app:
        assert await rows(app) == {}


@pytest.mark.parametrize("kind", ["healthy", "no_backup", "on_cloud"])
async def test_an_import_cut_off_after_its_rows_is_finished_by_the_next(rig: MakeRig, kind: str) -> None:
    told = await rig(kinds=[kind])
    told.scythe.at_commit = 2  # the rows are the first
    with pytest.raises(Killed):
        async with told.worker() as app:
            await import_fleet(app, told.inventory(), "tester", tick)
    told.scythe.at_commit = None
    async with told.worker() as app:
        left = await rows(app)
        assert left["numbers"] == 1
        assert "number_migrations" not in left
        assert len(await app.queries.without_way()) == 1
        await begin_migrations(app, {}, "tester", tick)
        itineraries = [at.itinerary for at in await app.queries.board()]
        assert itineraries == {"healthy": ["WITH_BACKUP"], "no_backup": ["CODE_FIRST"], "on_cloud": []}[kind]
        others = [row["disposition"] for row in await app.queries.without_migration()]
        assert others == (["already_on_cloud"] if kind == "on_cloud" else [])
        before = await rows(app)
        assert await begin_migrations(app, {}, "tester", tick) == ()
        assert await rows(app) == before


# -- what becomes of each kind of number that the sandbox knows

ON_PREMISES, NEITHER, UNKNOWN = ("on_premises", False), ("neither", True), ("unknown", False)
WITH_BACKUP = ("WITH_BACKUP", *ON_PREMISES)
KIND: dict[str, tuple[str, str, bool]] = dict.fromkeys(KINDS, WITH_BACKUP) | {
    "new": ("ONBOARD", *NEITHER),
    "dark": ("CODE_AFTER", *NEITHER),
    "host_gone": ("CODE_AFTER", *UNKNOWN),
    "stopped": ("CODE_AFTER", *UNKNOWN),
    "expired": ("CODE_AFTER", *NEITHER),
    "no_backup": ("CODE_FIRST", *ON_PREMISES),
    "code_refused": ("CODE_FIRST", *ON_PREMISES),
    "first_code_lost": ("CODE_FIRST", *ON_PREMISES),
    "coreapp_down": ("CODE_AFTER", *UNKNOWN),
    "first_login": ("WITH_BACKUP", *UNKNOWN),
    "business_app": ("CODE_AFTER", "unknown", False),  # stopped at its first step, for a person
    "banned": ("CODE_AFTER", "unknown", False),
}


async def test_every_kind_of_number_gets_its_way(rig: MakeRig) -> None:
    kinds = sorted(KINDS)
    told = await rig(kinds=kinds)
    async with told.worker() as app:
        counted = await import_fleet(app, told.inventory(), "tester", tick)
        board = {at.e164: at for at in await app.queries.board()}
    found = {
        row["kind"]: (at.itinerary, at.side.value, at.dark_since is not None)
        for row in told.sandbox.manifest("http://sandbox")["numbers"]
        if (at := board.get(row["e164"])) is not None
    }
    assert len(counted) == len(kinds)
    assert found == {kind: way for kind, way in KIND.items() if kind not in ("on_cloud", "deleted")}
    assert all(not at.dark_by_us for at in board.values())


@pytest.mark.parametrize("reads", [33, "DELETED"])
async def test_a_number_deleted_at_meta_is_taken_in_as_such(rig: MakeRig, reads: object) -> None:
    told = await rig(kinds=["healthy", "deleted"], switches={"deleted_number_reads": reads})
    async with told.worker() as app:
        assert [at.ref for at in await told.imported(app)] == ["N-0001"]
        (row,) = await app.queries.without_migration()
        assert (row["ref"], row["disposition"]) == ("N-0002", "deleted")


async def test_a_number_that_graph_does_not_know_is_a_bad_row(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 2)
    unknown = told.inventory()
    last = told.sandbox.manifest("http://sandbox")["numbers"][1]["phone_number_id"]
    unknown.write_text(unknown.read_text().replace(last, "999999999999999"))
    async with told.worker() as app:
        with pytest.raises(BadInventory) as raised:
            await import_fleet(app, unknown, "tester", tick)
        assert [(bad.line, bad.column) for bad in raised.value.bad] == [(3, "phone_number_id")]
        assert await rows(app) == {}


async def test_a_number_on_cloud_is_adopted_as_it_is(rig: MakeRig) -> None:
    told = await rig(kinds=["on_cloud"])
    async with told.worker() as app:
        assert await told.imported(app) == []
        (row,) = await app.queries.without_migration()
        assert (row["ref"], row["disposition"]) == ("N-0001", "already_on_cloud")
    assert list(told.sandbox.mutations(told.sandbox.manifest("http://sandbox")["numbers"][0]["e164"])) == []


async def test_a_dark_number_is_dark_on_arrival_and_not_by_us(rig: MakeRig) -> None:
    told = await rig(kinds=["dark"], world="after-sunset")
    async with told.worker() as app:
        (at,) = await told.imported(app)
        assert (at.side, at.dark_since, at.dark_by_us) == ("neither", told.clock.now(), False)


async def test_an_import_and_a_preflight_change_nothing_at_the_far_sides(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy", "no_backup", "dark", "host_gone"])
    async with told.worker() as app:
        board = await told.imported(app)
    async with told.worker(dry_run=True) as app:
        reports = await run_preflight(app, board)
    assert len(reports) == 4
    for at in board:
        assert [call for call in told.mutations(at) if call != "onprem.backup"] == []
