"""How verbs speak: JSON on the last line, numbers masked unless asked for, a key that is never made twice."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli_fixture import Desk, desk, sandbox
from tests.harness.in_process import SMOKE_TO

READING: list[tuple[str, ...]] = [
    ("status",),
    ("show", "N-0001"),
    ("preflight",),
    ("preflight", "N-0001"),
    ("profile",),
    ("run", "--dry-run"),
]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk after a run: one number is across, one waits for its code, one was on Cloud."""
    with sandbox("--numbers", "3", "--kinds", "healthy,no_backup,on_cloud", "--seed", "6") as far:
        made = desk(tmp_path_factory.mktemp("moved"), far)
        assert made.cutover("import", made.inventory()).code == 0
        assert made.cutover("run", "--patience", "0", "--json").code == 3, "one number waits for its code"
        yield made


def numbers_in(text: str, made: Desk) -> list[str]:
    """The full phone numbers of the fleet, and the one that smoke messages go to, that a text gives away."""
    known = [row["e164"].lstrip("+") for row in made.fleet] + [SMOKE_TO.lstrip("+")]
    return [number for number in known if number in text]


@pytest.mark.parametrize("verb", READING, ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_phone_numbers_are_masked(moved: Desk, verb: tuple[str, ...], as_json: bool) -> None:
    said = moved.cutover(*verb, *(["--json"] if as_json else []))
    assert said.code in (0, 3)
    assert said.out
    assert numbers_in(said.out + said.err, moved) == []


def test_imports_and_runs_mask_them_too(tmp_path: Path) -> None:
    with sandbox("--numbers", "2", "--kinds", "healthy,no_backup", "--seed", "8") as far:
        made = desk(tmp_path / "home", far)
        for verb in (("import", made.inventory()), ("run", "--patience", "0"), ("run", "N-0002", "--patience", "0")):
            said = made.cutover(*verb)
            assert said.code in (0, 3)
            assert numbers_in(said.out + said.err, made) == []


@pytest.mark.parametrize("verb", [("status",), ("show", "N-0001")], ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_person_may_ask_for_the_full_number(moved: Desk, verb: tuple[str, ...], as_json: bool) -> None:
    said = moved.cutover(*verb, "--show-numbers", *(["--json"] if as_json else []))
    assert moved.fleet[0]["e164"] in said.out


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_json_is_one_document_on_the_last_line(moved: Desk, verb: tuple[str, ...]) -> None:
    said = moved.cutover(*verb, "--json")
    assert len(said.out.strip().splitlines()) == 1
    assert isinstance(said.document, dict)


@pytest.mark.parametrize("verb", [("status",), ("preflight",), ("run", "--dry-run")], ids=" ".join)
def test_looking_changes_nothing_at_the_far_sides(moved: Desk, verb: tuple[str, ...]) -> None:
    def writes() -> list[Any]:
        calls = moved.far.control("GET", "calls?since=0")["calls"]
        return [
            call["call"] for call in calls if call["write"] and call["call"] not in ("onprem.login", "onprem.backup")
        ]

    before = writes()
    moved.cutover(*verb)
    assert writes() == before


def test_a_status_says_what_is_where_and_what_to_type(moved: Desk) -> None:
    numbers = {one["ref"]: one for one in moved.cutover("status", "--json").document["numbers"]}
    assert (numbers["N-0001"]["side"], numbers["N-0001"]["status"]) == ("cloud", "done")
    assert numbers["N-0001"]["outage_s"] is not None
    assert numbers["N-0002"]["next_command"] == "cutover enter-code N-0002"
    assert numbers["N-0002"]["on"] == "customer"


def test_a_code_is_taken_and_the_number_goes_on(tmp_path: Path) -> None:
    with sandbox("--numbers", "1", "--kinds", "no_backup", "--seed", "9") as far:
        made = desk(tmp_path / "home", far)
        assert made.cutover("import", made.inventory()).code == 0
        assert made.cutover("run", "--patience", "0").code == 3
        e164 = made.fleet[0]["e164"].replace("+", "%2B")
        code = far.control("GET", f"sms?e164={e164}")["codes"][-1]["code"]
        said = made.cutover("enter-code", "N-0001", "--stdin", typed=code + "\n")
        assert said.code == 0
        assert code not in said.out
        assert made.cutover("run", "--patience", "5").code == 0
        (number,) = made.cutover("status", "--json").document["numbers"]
        assert (number["side"], number["status"]) == ("cloud", "done")


def test_a_new_token_is_taken_only_when_graph_accepts_it(tmp_path: Path) -> None:
    with sandbox("--numbers", "1", "--seed", "10") as far:
        made = desk(tmp_path / "home", far)
        assert made.cutover("import", made.inventory()).code == 0
        (made.home / "token").write_text("EAAG-another")
        said = made.cutover("profile", "main", "--new-token")
        assert said.code == 12
        assert "EAAG-another" not in said.err
        (made.home / "token").write_text(far.told["token"])
        assert made.cutover("profile", "main", "--new-token").code == 0
        assert made.cutover("run", "--patience", "5").code == 0


def test_init_twice_keeps_the_key_and_the_admin_file(empty: Desk) -> None:
    key, admin = (empty.home / "master.key").read_text(), (empty.home / "cutover.toml").read_text()
    said = empty.cutover("init", "--json")
    assert (said.code, said.document["made"]) == (0, [])
    assert (empty.home / "master.key").read_text() == key
    assert (empty.home / "cutover.toml").read_text() == admin
    assert (empty.home / "master.key").stat().st_mode & 0o777 == 0o600
    assert key.strip() not in said.out


def test_init_of_a_database_with_a_password_does_not_print_it(empty: Desk) -> None:
    url = "postgresql+asyncpg://me:pa55word@127.0.0.1:9/none"
    said = empty.cutover("init", env={"CUTOVER_DATABASE_URL": url})
    assert said.code == 1
    assert "pa55word" not in said.out + said.err


def test_a_number_another_worker_holds_is_left_to_it(manned: Desk) -> None:
    with sqlite3.connect(manned.home / "cutover.db") as database:
        database.execute("UPDATE number_migrations SET status='running', lease_holder='w', lease_until='2099-01-01'")
    database.close()
    said = manned.cutover("run", "N-0001", "--patience", "0", "--json")
    assert said.code == 3
    assert said.document["not_moved"] == 1
    assert json.dumps(said.document).count("running") == 1


def test_a_copied_home_goes_on_elsewhere(manned: Desk, tmp_path: Path) -> None:
    shutil.copytree(manned.home, tmp_path / "elsewhere")
    other = desk(tmp_path / "elsewhere", manned.far)
    assert len(other.cutover("status", "--json").document["numbers"]) == 2
