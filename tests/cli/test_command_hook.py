"""Senders that are told by a command of the admin file, in place of HTTP."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cli_fixture import CliFixture, SandboxProcess, run_sandbox

TELL = """
import json, sys, time
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([*sys.argv[2:], time.time()]) + "\\n")
code = int(sys.argv[1].rpartition("-")[2])
if code:
    print("frozen until Monday", file=sys.stderr)
raise SystemExit(code)
"""
COMMAND = """[hooks.senders]
command = "tell"

[commands.tell]
argv = [{python}, {program}, {out}, "{{event}}", "{{to}}", "{{key}}"]
arguments = {{ event = "[a-z_]+", to = "cloud|on_premises", key = "[0-9a-z_:.]+" }}
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with run_sandbox("--numbers", "1", "--kinds", "healthy") as sandbox:
        yield sandbox


def with_command(cli: CliFixture, folder: Path, *, exit_code: int) -> Path:
    """Import a number whose senders are told by a command; returns where the command writes what it is told."""
    program, out = folder / "tell.py", folder / f"told-{exit_code}"
    program.write_text(TELL)
    named = {"python": json.dumps(sys.executable), "program": json.dumps(str(program)), "out": json.dumps(str(out))}
    admin = (cli.home / "cutover.toml").read_text()
    before, _, after = admin.partition("[hooks.senders]")
    rest = after[after.index("[smoke]") :]
    (cli.home / "cutover.toml").write_text(before + COMMAND.format(**named) + rest)
    assert cli.cutover("import", cli.inventory(hook="senders", hook_required="yes")).exit_code == 0
    return out


def test_the_command_hears_the_pause_the_route_and_the_end(empty_cli: CliFixture, tmp_path: Path) -> None:
    told = with_command(empty_cli, tmp_path, exit_code=0)
    empty_cli.cutover("run", "N-0001")
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert [line[0] for line in lines] == ["pause_sends", "switch_route", "resume_sends"]
    assert {line[1] for line in lines} == {"cloud"}
    assert len({line[2] for line in lines}) == 3
    assert empty_cli.cutover("status", "--json").document["numbers"][0]["side"] == "cloud"


def test_a_command_that_vetoes_keeps_the_number_where_it_is(empty_cli: CliFixture, tmp_path: Path) -> None:
    with_command(empty_cli, tmp_path, exit_code=77)
    assert empty_cli.cutover("run", "N-0001", "--patience", "0").exit_code == 3
    (number,) = empty_cli.cutover("status", "--json").document["numbers"]
    assert number["side"] == "on_premises"
    assert "frozen until Monday" in number["reason"]


def test_the_admin_file_names_one_way(empty_cli: CliFixture) -> None:
    path = empty_cli.home / "cutover.toml"
    whole = path.read_text()
    path.write_text(whole.replace("[hooks.senders]", '[hooks.senders]\ncommand = "stop"'))
    assert "neither url, secret" in empty_cli.cutover("sweep").error_line
    path.write_text(whole.replace("[hooks.senders]", '[hooks.other]\ncommand = "nobody"\n\n[hooks.senders]'))
    assert "there is no [commands.nobody]" in empty_cli.cutover("sweep").error_line
