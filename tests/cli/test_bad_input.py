"""Whatever is wrong is one clear line, the documented exit code, and no traceback; nothing is half-written."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.cli_fixture import Desk


def rows(desk: Desk, table: str = "numbers") -> int:
    with sqlite3.connect(desk.home / "cutover.db") as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    database.close()
    return count


def imported(desk: Desk, path: str) -> list[str]:
    """The lines of a refused import; nothing was written."""
    said = desk.cutover("import", path)
    assert said.code == 1
    assert (rows(desk), rows(desk, "customers"), rows(desk, "secrets")) == (0, 0, 0)
    lines = said.err.strip().splitlines()
    assert "nothing was imported" in lines[-1]
    assert f"cutover import {path}" in lines[-1]
    return lines[:-1]


# -- import


def test_a_missing_column(empty: Desk) -> None:
    path = Path(empty.inventory())
    path.write_text(path.read_text().replace("customer,", "client,", 1))
    lines = imported(empty, str(path))
    assert lines == [
        f"cutover: {path}: line 1, customer: the column is missing",
        f"cutover: {path}: line 1, client: no such column; docs/inventory.md lists them",
    ]


def test_a_duplicate(empty: Desk) -> None:
    (line,) = imported(empty, empty.inventory(empty.fleet[0], empty.fleet[1] | {"e164": empty.fleet[0]["e164"]}))
    assert "line 3, e164" in line
    assert "in line 2 already" in line
    assert empty.fleet[0]["e164"] not in line


def test_not_e164(empty: Desk) -> None:
    (line,) = imported(empty, empty.inventory(empty.fleet[0] | {"e164": "015123456781"}))
    assert "line 2, e164: " in line
    assert "is not an E.164 number" in line


@pytest.mark.parametrize(
    ("column", "value"), [("profile", "mian"), ("stop_command", "halt"), ("hook", "nobody"), ("start_command", "boot")]
)
def test_a_name_that_the_admin_file_lacks(empty: Desk, column: str, value: str) -> None:
    (line,) = imported(empty, empty.inventory(empty.fleet[0], **{column: value}))
    assert f"line 2, {column}: the admin file names no {column.replace('_', ' ')} '{value}'" in line


def test_a_file_that_is_not_there(empty: Desk) -> None:
    said = empty.cutover("import", "nowhere.csv")
    assert (said.code, said.complaint) == (2, "there is no file nowhere.csv")


def test_a_token_that_graph_refuses(empty: Desk) -> None:
    (empty.home / "token").write_text("EAAG-expired")
    said = empty.cutover("import", empty.inventory())
    assert said.code == 12
    assert said.complaint.endswith("see `cutover runbook token-refused`")
    assert "EAAG-expired" not in said.err
    assert rows(empty) == 0


def test_graph_is_unreachable(empty: Desk) -> None:
    said = empty.cutover("import", empty.inventory(), env={"CUTOVER_GRAPH_URL": "http://127.0.0.1:9"})
    assert said.code == 1
    assert "never left" in said.complaint or "no answer" in said.complaint
    assert rows(empty) == 0


def test_an_instance_that_does_not_answer_is_named_by_preflight(empty: Desk) -> None:
    number = empty.fleet[0] | {"onprem_url": "http://127.0.0.1:9"}
    assert empty.cutover("import", empty.inventory(number)).code == 0
    said = empty.cutover("preflight", "--json")
    assert said.code in (0, 3)
    checks = {check["check"]: check for check in said.document["numbers"][0]["checks"]}
    assert checks["instance"]["verdict"] != "pass"
    assert f"{number['instance']} does not answer" in checks["instance"]["said"]
    assert checks["instance"]["runbook"] == "runbooks/far-side-down.md"


# -- keys, settings, database

READING = [("status",), ("show", "N-0001"), ("preflight",), ("run",), ("profile",)]


@pytest.mark.parametrize("content", ["", "not a key\n", "AAAA\n"])
@pytest.mark.parametrize("verb", READING, ids=lambda verb: verb[0])
def test_a_damaged_key_file(manned: Desk, verb: tuple[str, ...], content: str) -> None:
    (manned.home / "master.key").write_text(content)
    said = manned.cutover(*verb)
    assert said.code == 1
    assert "key" in said.complaint


def test_a_key_file_that_others_may_read(manned: Desk) -> None:
    (manned.home / "master.key").chmod(0o644)
    said = manned.cutover("status")
    assert (said.code, "chmod 600" in said.complaint) == (1, True)


def test_no_key_file(manned: Desk) -> None:
    (manned.home / "master.key").unlink()
    said = manned.cutover("status")
    assert (said.code, "put the copy that you kept there" in said.complaint) == (1, True)
    (manned.home / "cutover.db").unlink()
    said = manned.cutover("status")
    assert said.complaint.endswith("; `cutover init` makes one")


@pytest.mark.parametrize("verb", [("preflight",), ("run", "N-0001")])
def test_the_wrong_key(manned: Desk, verb: tuple[str, ...]) -> None:
    (manned.home / "master.key").unlink()
    assert manned.cutover("init").code == 0
    said = manned.cutover(*verb)
    assert said.code == 1
    assert "runbooks/key-lost.md" in said.complaint


def test_no_admin_file(manned: Desk) -> None:
    (manned.home / "cutover.toml").unlink()
    said = manned.cutover("status")
    assert (said.code, "`cutover init` writes one" in said.complaint) == (1, True)


def test_an_admin_file_with_a_mistake(manned: Desk) -> None:
    (manned.home / "cutover.toml").write_text("[profiles.main]\napp_id = 'x'\n")
    said = manned.cutover("status")
    assert (said.code, "profiles.main.app_id" in said.complaint) == (1, True)


def revision(desk: Desk, name: str) -> None:
    with sqlite3.connect(desk.home / "cutover.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (name,))
    database.close()


@pytest.mark.parametrize("verb", [*READING, ("init",)], ids=lambda verb: verb[0])
def test_a_database_of_a_newer_schema(manned: Desk, verb: tuple[str, ...]) -> None:
    revision(manned, "2099_01_01")
    said = manned.cutover(*verb)
    assert said.code == 1
    assert "2099_01_01" in said.complaint
    assert "newer cutover" in said.complaint


def test_a_database_without_tables(manned: Desk) -> None:
    (manned.home / "cutover.db").unlink()
    said = manned.cutover("status")
    assert (said.code, "run `cutover init`" in said.complaint) == (1, True)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://nobody@127.0.0.1:9/none",
        "postgresql+asyncpg://nobody@localhost:9/none",
        "postgresql+asyncpg://nobody@no-such-host.invalid/none",
        "sqlite+aiosqlite:////no/such/folder/state.db",
    ],
)
@pytest.mark.parametrize("verb", ["status", "init"])
def test_a_database_that_does_not_answer(manned: Desk, url: str, verb: str) -> None:
    said = manned.cutover(verb, env={"CUTOVER_DATABASE_URL": url})
    assert said.code == 1
    assert "the database does not answer" in said.complaint
    assert "cutover runbook database-down" in said.complaint


def test_a_bad_variable(manned: Desk) -> None:
    said = manned.cutover("status", env={"CUTOVER_GRAPH_VERSION": "newest"})
    assert (said.code, said.complaint.startswith("CUTOVER_GRAPH_VERSION")) == (1, True)


# -- names

UNKNOWN = [
    ("show", "N-9999"),
    ("show", "+4915100000000"),
    ("status", "no-such-wave"),
    ("run", "no-such-wave"),
    ("preflight", "no-such-wave"),
    ("profile", "nobody"),
    ("profile", "nobody", "--new-token"),
]


@pytest.mark.parametrize("verb", UNKNOWN, ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_such_number_wave_or_profile(manned: Desk, verb: tuple[str, ...], as_json: bool) -> None:
    said = manned.cutover(*verb, *(["--json"] if as_json else []))
    assert said.code == 10
    assert "no " in said.complaint
    if as_json:
        assert said.document == {"error": said.complaint, "exit_code": 10}
    else:
        assert said.out == ""


@pytest.mark.parametrize(
    "verb", [("fly", "--json"), ("show", "--json"), ("resolve", "N-0001", "--because", "x", "--json")]
)
def test_a_script_gets_a_document_of_a_mistake_too(manned: Desk, verb: tuple[str, ...]) -> None:
    said = manned.cutover(*verb)
    assert (said.code, said.document) == (2, {"error": said.complaint, "exit_code": 2})
    assert len(said.out.splitlines()) == 1


def test_a_number_is_named_as_other_programs_print_it(manned: Desk) -> None:
    e164 = manned.fleet[0]["e164"]
    for named in (e164[1:], f"{e164[:3]} ({e164[3:6]}) {e164[6:9]}-{e164[9:]}", "n-1", "N1", "n0001"):
        said = manned.cutover("hold", named, "--dry-run", "--json")
        assert (said.code, said.document["now"]["ref"]) == (0, "N-0001"), named
    assert manned.cutover("show", "N-11").code == 10


@pytest.mark.parametrize("verb", ["enter-code N-0001", "enter-code N-0001 --stdin", "resolve N-0001 --pin-handed-in"])
def test_standard_input_is_closed(manned: Desk, verb: str) -> None:
    """As cron and some schedulers start a command; pytest's own standard input is not what a process has."""
    more = ["--because", "x"] if verb.startswith("resolve") else []
    command = [sys.executable, "-c", "import sys; sys.stdin = None; from migration.cli.__main__ import main; main()"]
    told = subprocess.run(
        [*command, *verb.split(), *more], env=os.environ | manned.env, capture_output=True, text=True, check=False
    )
    assert told.returncode in (1, 2)
    (line,) = told.stderr.splitlines()
    assert line in ("cutover: nothing was typed; nothing was changed", "cutover: no code was given")


def test_a_reader_that_has_gone_is_no_error_of_the_database(manned: Desk) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "migration.cli", "status", "--json"]
    told = subprocess.run(
        command, env=os.environ | manned.env, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert told.stderr == ""


@pytest.mark.parametrize("columns", ["40", "200"])
def test_what_is_to_be_typed_can_be_copied_from_any_terminal(manned: Desk, columns: str) -> None:
    terminal, end = os.openpty()
    told = subprocess.run(
        [sys.executable, "-m", "migration.cli", "status"],
        env=os.environ | manned.env | {"COLUMNS": columns, "TERM": "dumb"},
        stdout=end,
        check=False,
    )
    os.close(end)
    with os.fdopen(terminal, "rb") as reading:
        shown = os.read(reading.fileno(), 100_000).decode()
    assert told.returncode == 0
    assert "cutover run N-0001" in shown
    assert "on_premises" in shown


def test_a_pipe_gets_every_row_unfolded(manned: Desk) -> None:
    rows = manned.cutover("preflight", env={"COLUMNS": "40"}).out.splitlines()
    numbers = manned.cutover("preflight", "--json").document["numbers"]
    assert [line.split()[0] for line in rows if line.startswith("N-")] == [one["ref"] for one in numbers]
    assert len(rows) == len(numbers) + 3  # a header, and two lines that sum up
    assert all(line == line.rstrip() for line in rows)


def test_no_such_number_for_a_code(manned: Desk) -> None:
    said = manned.cutover("enter-code", "N-9999", "--stdin", typed="123456\n")
    assert said.code == 10
    assert "123456" not in said.err


@pytest.mark.parametrize("typed", ["12345\n", "abcdef\n", "1234567\n"])
def test_what_is_no_code(manned: Desk, typed: str) -> None:
    said = manned.cutover("enter-code", "N-0001", "--stdin", typed=typed)
    assert (said.code, "a code is six digits" in said.complaint) == (1, True)
    assert typed.strip() not in said.err


USAGE = {
    ("fly",): "no such command 'fly'; see `cutover --help`",
    ("status", "--loud"): "no such option: --loud; see `cutover status --help`",
    ("show",): "missing argument 'number'; see `cutover show --help`",
    ("abort", "N-0001"): "missing option '--because'; see `cutover abort --help`",
    ("stop", "north"): "missing option '--because'; see `cutover stop --help`",
    ("run", "--concurrency", "0"): "invalid value for '--concurrency': ",
    ("run", "--patience", "soon"): "invalid value for '--patience': ",
    ("plan", "north", "--released", "most"): "invalid value for '--released': 'most' is not one of ",
    ("plan", "north", "--canary"): "option '--canary' requires an argument; see `cutover",
    ("hold", "N-0001", "N-0002"): "got unexpected extra argument",
    ("enter-code", "N-0001", "--stdin"): "no code was given",
    ("enter-code", "N-0001"): "nothing was typed; nothing was changed",
}


@pytest.mark.parametrize("verb", USAGE, ids=" ".join)
def test_usage_is_one_line(manned: Desk, verb: tuple[str, ...]) -> None:
    said = manned.cutover(*verb, typed="")
    assert said.complaint.startswith(USAGE[verb]), said.err
    assert said.code == (1 if "nothing was typed" in USAGE[verb] else 2)


def test_cutover_alone_shows_its_help(manned: Desk) -> None:
    said = manned.cutover()
    assert (said.code, said.err.strip()) == (2, "")
    assert "preflight" in said.out


def test_a_new_token_for_nobody(manned: Desk) -> None:
    said = manned.cutover("profile", "--new-token")
    assert (said.code, "which profile" in said.complaint) == (2, True)


def test_nothing_to_run(empty: Desk) -> None:
    said = empty.cutover("run")
    assert (said.code, "cutover import FILE" in said.complaint) == (2, True)


def test_a_code_is_taken_while_another_worker_holds_the_number(manned: Desk) -> None:
    with sqlite3.connect(manned.home / "cutover.db") as database:
        database.execute(
            "UPDATE number_migrations SET status='running', lease_holder='w', lease_until='2099-01-01',"
            " next_step='verify_code'"
        )
    database.close()
    said = manned.cutover("enter-code", "N-0001", "--stdin", typed="123456\n")
    assert said.code == 0


def test_a_home_that_cannot_be_made(manned: Desk) -> None:
    said = manned.cutover("init", env={"CUTOVER_HOME": str(manned.home / "cutover.toml" / "home")})
    assert (said.code, "cutover.toml" in said.complaint) == (1, True)


def test_a_database_that_is_another_file(manned: Desk) -> None:
    (manned.home / "cutover.db").write_text("this is no database at all, but a text that is long enough to be read")
    said = manned.cutover("status")
    assert (said.code, "file is not a database" in said.complaint) == (1, True)
