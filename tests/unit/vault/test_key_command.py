"""The master key from a command: what it gets, what it may answer, and that its output is never shown."""

import json
import sys
from pathlib import Path

import pytest

from migration.errors import BadSetting
from migration.settings import Settings
from migration.vault import key_command
from migration.vault.sealing import new_master_key

KEY = new_master_key().get_secret_value()
OLDER = new_master_key().get_secret_value()


def settings_with(home: Path, code: str, env: list[str] | None = None) -> Settings:
    argv = [sys.executable, "-c", code]
    text = f"key_command = {json.dumps(argv)}\nkey_command_env = {json.dumps(env or [])}\n"
    (home / "cutover.toml").write_text(text)
    return Settings(home=home)


def test_the_first_key_that_it_prints_seals_and_the_others_open(tmp_path: Path) -> None:
    keys = settings_with(tmp_path, f"print('{KEY}\\n{OLDER}')").keys()
    assert keys.current.get_secret_value() == KEY
    assert [key.get_secret_value() for key in keys.older] == [OLDER]


def test_it_comes_before_the_file_and_after_the_variable(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, f"print('{KEY}')")
    (tmp_path / "master.key").write_text(OLDER)
    assert settings.keys().current.get_secret_value() == KEY
    given = settings.model_copy(update={"master_key": new_master_key()})
    assert given.keys().current == given.master_key


def test_it_gets_no_variable_that_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("VAULT_TOKEN", "secret too")
    shown = tmp_path / "environment"
    code = f"import os; open('{shown}', 'w').write(' '.join(os.environ)); print('{KEY}')"
    settings_with(tmp_path, code, ["VAULT_TOKEN"]).keys()
    names = set(shown.read_text().split())
    assert "VAULT_TOKEN" in names
    assert not names & {"PGPASSWORD", "CUTOVER_MASTER_KEY"}


@pytest.mark.parametrize(
    "code", ["raise SystemExit(3)", "pass", "print('\\xff')", "import time; time.sleep(9)"], ids=str
)
def test_what_is_wrong_is_said_without_its_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(key_command, "TIMEOUT_S", 0.5)
    with pytest.raises(BadSetting, match="key_command") as raised:
        settings_with(tmp_path, f"import sys; sys.stderr.write('{KEY}'); {code}").keys()
    assert KEY not in str(raised.value)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "cutover.toml").write_text('key_command = ["/no/such/program"]\n')
    with pytest.raises(BadSetting, match="cannot be run"):
        Settings(home=tmp_path).keys()
