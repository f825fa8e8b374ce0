"""What a command that stands for a hook says by its exit code, and what it is told."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from migration.clients.command_hooks import RUN_AGAIN, CommandHooks
from migration.clients.commands import NamedCommand, NamedCommands
from migration.clients.traffic_hooks import HookAnswer, HookDone, HookDraining, HookVetoed
from migration.errors import Rejected, Transient
from migration.scrubbing.texts import SafeText

BODY = {"event": "pause_sends", "migration_id": 7, "e164": "+15550100001", "from": "on_premises", "to": "cloud"}
LATER = float("inf")
NONE: Mapping[str, str] = {}


def hooks(
    program: str, folder: Path, *arguments: str, timeout_s: float = 20.0, patterns: Mapping[str, str] = NONE
) -> CommandHooks:
    path = folder / "tell.py"
    path.write_text(program)
    command = NamedCommand(argv=(sys.executable, str(path), *arguments), arguments=patterns, timeout_s=timeout_s)
    return CommandHooks(NamedCommands({"tell": command}), "tell")


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("", HookDone()),
        ("raise SystemExit(75)", HookDraining(RUN_AGAIN)),
        (
            "import sys; print('frozen until Monday', file=sys.stderr); raise SystemExit(77)",
            HookVetoed(SafeText("frozen until Monday")),
        ),
    ],
)
async def test_the_exit_code_is_the_answer(program: str, answer: HookAnswer, tmp_path: Path) -> None:
    assert await hooks(program, tmp_path).announce(BODY, "7:pause_sends:1", send_by=LATER) == answer
    assert await hooks(program, tmp_path).ask(RUN_AGAIN, "7:pause_sends:1", BODY) == answer


async def test_it_gets_the_fields_and_the_key(tmp_path: Path) -> None:
    program = f"import sys; open({str(tmp_path / 'out')!r}, 'w').write('|'.join(sys.argv[1:]))"
    patterns = {"event": "[a-z_]+", "e164": r"\+\d{8,15}", "from": "[a-z_]+", "to": "[a-z_]+", "key": r"[\w:.]+"}
    places = [f"{{{name}}}" for name in patterns]
    await hooks(program, tmp_path, *places, patterns=patterns).announce(BODY, "7:pause_sends:1", send_by=LATER)
    assert (tmp_path / "out").read_text() == "pause_sends|+15550100001|on_premises|cloud|7:pause_sends:1"


@pytest.mark.parametrize("program", ["raise SystemExit(1)", "raise ValueError", "import time; time.sleep(60)"])
async def test_whatever_else_is_no_answer(program: str, tmp_path: Path) -> None:
    with pytest.raises(Transient, match="traffic hook: command tell"):
        await hooks(program, tmp_path, timeout_s=0.5).announce(BODY, "k", send_by=LATER)


async def test_a_value_that_does_not_match_its_pattern_runs_nothing(tmp_path: Path) -> None:
    program = f"open({str(tmp_path / 'out')!r}, 'w')"
    with pytest.raises(Rejected):
        await hooks(program, tmp_path, "{e164}", patterns={"e164": r"\d+"}).announce(BODY, "k", send_by=LATER)
    assert not (tmp_path / "out").exists()
