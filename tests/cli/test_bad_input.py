"""Every mistake gives one line on stderr, the documented exit code and no traceback; nothing is written."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.cli_fixture import CliFixture


def rows(cli: CliFixture, table: str = "numbers") -> int:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    database.close()
    return count


def refused_import(cli: CliFixture, path: str) -> list[str]:
    """The lines of a refused import. Asserts that nothing was written."""
    output = cli.cutover("import", path)
    assert output.exit_code == 1
    # The one secret is the key of the record: the home has it from its first opening on.
    assert (rows(cli), rows(cli, "customers"), rows(cli, "secrets")) == (0, 0, 1)
    lines = output.stderr.strip().splitlines()
    assert "nothing was imported" in lines[-1]
    assert f"cutover import {path}" in lines[-1]
    return lines[:-1]


# -- import


def test_a_missing_column(empty_cli: CliFixture) -> None:
    path = Path(empty_cli.inventory())
    path.write_text(path.read_text().replace("customer,", "client,", 1))
    lines = refused_import(empty_cli, str(path))
    assert lines == [
        f"cutover: {path}: line 1, customer: the column is missing",
        f"cutover: {path}: line 1, column 4: has no name that we know; docs/inventory.md lists them",
    ]


def test_a_duplicate_number(empty_cli: CliFixture) -> None:
    (line,) = refused_import(
        empty_cli, empty_cli.inventory(empty_cli.fleet[0], empty_cli.fleet[1] | {"e164": empty_cli.fleet[0]["e164"]})
    )
    assert "line 3, e164" in line
    assert "in line 2 already" in line
    assert empty_cli.fleet[0]["e164"] not in line


def test_a_number_that_is_not_e164(empty_cli: CliFixture) -> None:
    (line,) = refused_import(empty_cli, empty_cli.inventory(empty_cli.fleet[0] | {"e164": "015123456781"}))
    assert "line 2, e164: " in line
    assert "is not an E.164 number" in line


@pytest.mark.parametrize(
    ("column", "value"), [("profile", "mian"), ("stop_command", "halt"), ("hook", "nobody"), ("start_command", "boot")]
)
def test_a_name_that_the_admin_file_lacks(empty_cli: CliFixture, column: str, value: str) -> None:
    (line,) = refused_import(empty_cli, empty_cli.inventory(empty_cli.fleet[0], **{column: value}))
    assert f"line 2, {column}: the admin file names no such {column.replace('_', ' ')} (it has: " in line
    assert value not in line


def test_a_missing_file(empty_cli: CliFixture) -> None:
    output = empty_cli.cutover("import", "nowhere.csv")
    assert (output.exit_code, output.error_line) == (2, "there is no file nowhere.csv")


def test_a_token_that_graph_refuses(empty_cli: CliFixture) -> None:
    (empty_cli.home / "token").write_text("EAAG-expired")
    output = empty_cli.cutover("import", empty_cli.inventory())
    assert output.exit_code == 12
    assert output.error_line.endswith("see `cutover runbook token-refused`")
    assert "EAAG-expired" not in output.stderr
    assert rows(empty_cli) == 0


def test_an_unreachable_graph(empty_cli: CliFixture) -> None:
    output = empty_cli.cutover("import", empty_cli.inventory(), env={"CUTOVER_GRAPH_URL": "http://127.0.0.1:9"})
    assert output.exit_code == 1
    assert "never left" in output.error_line or "no answer" in output.error_line
    assert rows(empty_cli) == 0


def test_an_instance_that_does_not_answer_is_named_by_preflight(empty_cli: CliFixture) -> None:
    number = empty_cli.fleet[0] | {"onprem_url": "http://127.0.0.1:9"}
    assert empty_cli.cutover("import", empty_cli.inventory(number)).exit_code == 0
    output = empty_cli.cutover("preflight", "--json")
    assert output.exit_code in (0, 3)
    checks = {check["check"]: check for check in output.document["numbers"][0]["checks"]}
    assert checks["instance"]["verdict"] != "pass"
    assert f"{number['instance']} does not answer" in checks["instance"]["said"]
    assert checks["instance"]["runbook"] == "runbooks/far-side-down.md"


# -- keys, settings, database

NEEDS_KEY = [("preflight",), ("run",), ("profile",)]
READING = [("status",), ("show", "N-0001"), *NEEDS_KEY]


@pytest.mark.parametrize("content", ["", "not a key\n", "AAAA\n"])
@pytest.mark.parametrize("verb", NEEDS_KEY, ids=lambda verb: verb[0])
def test_a_damaged_key_file(cli: CliFixture, verb: tuple[str, ...], content: str) -> None:
    (cli.home / "master.key").write_text(content)
    output = cli.cutover(*verb)
    assert output.exit_code == 1
    assert "key" in output.error_line


def test_a_key_file_that_others_may_read(cli: CliFixture) -> None:
    (cli.home / "master.key").chmod(0o644)
    output = cli.cutover("preflight")
    assert (output.exit_code, "chmod 600" in output.error_line) == (1, True)


def test_a_missing_key_file(cli: CliFixture) -> None:
    (cli.home / "master.key").unlink()
    output = cli.cutover("run")
    assert (output.exit_code, "put the copy that you kept there" in output.error_line) == (1, True)


def test_a_missing_admin_file(cli: CliFixture) -> None:
    (cli.home / "cutover.toml").unlink()
    output = cli.cutover("preflight")
    assert (output.exit_code, "`cutover init` writes one" in output.error_line) == (1, True)


def test_an_admin_file_with_a_mistake(cli: CliFixture) -> None:
    (cli.home / "cutover.toml").write_text("[profiles.main]\napp_id = 'x'\n")
    output = cli.cutover("preflight")
    assert (output.exit_code, "profiles.main.app_id" in output.error_line) == (1, True)


def revision(cli: CliFixture, name: str) -> None:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (name,))
    database.close()


@pytest.mark.parametrize("verb", [*READING, ("init",)], ids=lambda verb: verb[0])
def test_a_database_of_a_newer_schema(cli: CliFixture, verb: tuple[str, ...]) -> None:
    revision(cli, "2099_01_01")
    output = cli.cutover(*verb)
    assert output.exit_code == 1
    assert "2099_01_01" in output.error_line
    assert "newer cutover" in output.error_line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://nobody@127.0.0.1:9/none",
        "postgresql+asyncpg://nobody@localhost:9/none",
        "postgresql+asyncpg://nobody@no-such-host.invalid/none",
    ],
)
@pytest.mark.parametrize("verb", ["status", "init"])
def test_a_database_that_does_not_answer(cli: CliFixture, url: str, verb: str) -> None:
    output = cli.cutover(verb, env={"CUTOVER_DATABASE_URL": url})
    assert output.exit_code == 1
    assert "the database does not answer" in output.error_line
    assert "cutover runbook database-down" in output.error_line


def test_a_bad_variable(cli: CliFixture) -> None:
    output = cli.cutover("status", env={"CUTOVER_GRAPH_VERSION": "newest"})
    assert (output.exit_code, output.error_line.startswith("CUTOVER_GRAPH_VERSION")) == (1, True)


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
def test_an_unknown_number_wave_or_profile(cli: CliFixture, verb: tuple[str, ...], as_json: bool) -> None:
    output = cli.cutover(*verb, *(["--json"] if as_json else []))
    assert output.exit_code == 10
    assert "no " in output.error_line
    if as_json:
        assert output.document == {"error": output.error_line, "exit_code": 10}
    else:
        assert output.stdout == ""


@pytest.mark.parametrize(
    "verb", [("fly", "--json"), ("show", "--json"), ("resolve", "N-0001", "--because", "x", "--json")]
)
def test_a_mistake_with_json_prints_a_document(cli: CliFixture, verb: tuple[str, ...]) -> None:
    output = cli.cutover(*verb)
    assert (output.exit_code, output.document) == (2, {"error": output.error_line, "exit_code": 2})
    assert len(output.stdout.splitlines()) == 1


def test_a_number_is_accepted_in_other_notations(cli: CliFixture) -> None:
    e164 = cli.fleet[0]["e164"]
    for text in (e164[1:], f"{e164[:3]} ({e164[3:6]}) {e164[6:9]}-{e164[9:]}", "n-1", "N1", "n0001"):
        output = cli.cutover("hold", text, "--dry-run", "--json")
        assert (output.exit_code, output.document["now"]["ref"]) == (0, "N-0001"), text
    assert cli.cutover("show", "N-11").exit_code == 10


@pytest.mark.parametrize("verb", ["enter-code N-0001", "enter-code N-0001 --stdin", "resolve N-0001 --pin-handed-in"])
def test_a_closed_standard_input(cli: CliFixture, verb: str) -> None:
    """Cron and some schedulers start a command without a standard input. A new process, because pytest has one."""
    reason = ["--because", "x"] if verb.startswith("resolve") else []
    command = [sys.executable, "-c", "import sys; sys.stdin = None; from migration.cli.__main__ import main; main()"]
    result = subprocess.run(
        [*command, *verb.split(), *reason], env=os.environ | cli.env, capture_output=True, text=True, check=False
    )
    assert result.returncode in (1, 2)
    (line,) = result.stderr.splitlines()
    assert line in ("cutover: nothing was typed; nothing was changed", "cutover: no code was given")


def test_a_closed_pipe_is_no_error_of_the_database(cli: CliFixture) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "migration.cli", "status", "--json"]
    result = subprocess.run(
        command, env=os.environ | cli.env, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert result.stderr == ""


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_command_is_not_broken_by_the_width_of_the_terminal(cli: CliFixture, columns: str) -> None:
    terminal, end = os.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "migration.cli", "status"],
        env=os.environ | cli.env | {"COLUMNS": columns, "TERM": "dumb"},
        stdout=end,
        check=False,
    )
    os.close(end)
    with os.fdopen(terminal, "rb") as reading:
        text = os.read(reading.fileno(), 100_000).decode()
    assert result.returncode == 0
    assert "cutover run N-0001" in text
    assert "on_premises" in text


def test_a_pipe_gets_one_line_for_each_row(cli: CliFixture) -> None:
    rows = cli.cutover("preflight", env={"COLUMNS": "40"}).stdout.splitlines()
    numbers = cli.cutover("preflight", "--json").document["numbers"]
    assert [line.split()[0] for line in rows if line.startswith("N-")] == [number["ref"] for number in numbers]
    codes = [line for line in rows if "will be needed" in line or line.startswith("  ")]
    assert len(rows) - len(codes) == len(numbers) + 3  # a header and two lines of summary
    assert all(line == line.rstrip() for line in rows)


def test_a_code_for_an_unknown_number(cli: CliFixture) -> None:
    output = cli.cutover("enter-code", "N-9999", "--stdin", typed="123456\n")
    assert output.exit_code == 10
    assert "123456" not in output.stderr


@pytest.mark.parametrize("typed", ["12345\n", "abcdef\n", "1234567\n"])
def test_a_code_of_another_format(cli: CliFixture, typed: str) -> None:
    output = cli.cutover("enter-code", "N-0001", "--stdin", typed=typed)
    assert (output.exit_code, "no code of six digits" in output.error_line) == (1, True)
    assert typed.strip() not in output.stderr


USAGE = {
    ("fly",): "no such command 'fly'; see `cutover --help`",
    ("status", "--loud"): "no such option: --loud; see `cutover status --help`",
    ("show",): "missing argument 'number'; see `cutover show --help`",
    ("abort", "N-0001"): "missing option '--because'; see `cutover abort --help`",
    ("stop", "north"): "missing option '--because'; see `cutover stop --help`",
    ("demo", "--numbers", "5"): "invalid value for '--numbers': ",
    ("run", "--concurrency", "0"): "invalid value for '--concurrency': ",
    ("run", "--patience", "soon"): "invalid value for '--patience': ",
    ("plan", "north", "--released", "most"): "invalid value for '--released': 'most' is not one of ",
    ("plan", "north", "--canary"): "option '--canary' requires an argument; see `cutover",
    ("stop", "north", "south", "--because", "x"): "got unexpected extra argument",
    ("enter-code", "N-0001", "--stdin"): "no code was given",
    ("enter-code", "N-0001"): "nothing was typed; nothing was changed",
}


@pytest.mark.parametrize("verb", USAGE, ids=" ".join)
def test_an_error_of_usage_is_one_line(cli: CliFixture, verb: tuple[str, ...]) -> None:
    output = cli.cutover(*verb, typed="")
    assert output.error_line.startswith(USAGE[verb]), output.stderr
    assert output.exit_code == (1 if "nothing was typed" in USAGE[verb] else 2)


def test_cutover_alone_shows_its_help(cli: CliFixture) -> None:
    output = cli.cutover()
    assert (output.exit_code, output.stderr.strip()) == (2, "")
    assert "preflight" in output.stdout


def test_a_new_token_without_a_profile(cli: CliFixture) -> None:
    output = cli.cutover("profile", "--new-token")
    assert (output.exit_code, "which profile" in output.error_line) == (2, True)


def test_a_run_with_nothing_imported(empty_cli: CliFixture) -> None:
    output = empty_cli.cutover("run")
    assert (output.exit_code, "cutover import FILE" in output.error_line) == (2, True)


def test_a_code_is_accepted_while_another_worker_holds_the_number(cli: CliFixture) -> None:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute(
            "UPDATE number_migrations SET status='running', lease_holder='w', lease_until='2099-01-01 00:00:00',"
            " next_step='verify_code'"
        )
    database.close()
    output = cli.cutover("enter-code", "N-0001", "--stdin", typed="123456\n")
    assert output.exit_code == 0


def test_a_home_folder_that_cannot_be_made(cli: CliFixture) -> None:
    output = cli.cutover("init", env={"CUTOVER_HOME": str(cli.home / "cutover.toml" / "home")})
    assert (output.exit_code, "cutover.toml" in output.error_line) == (1, True)


def test_a_database_file_that_is_no_database(cli: CliFixture) -> None:
    (cli.home / "cutover.db").write_text("this is no database at all, but a text that is long enough to be read")
    output = cli.cutover("status")
    assert (output.exit_code, "file is not a database" in output.error_line) == (1, True)
