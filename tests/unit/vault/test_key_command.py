"""The master key from a command: what it gets, what it may answer, and that its output is never shown."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from migration.errors import BadSetting
from migration.home.admin_file import read_admin_settings
from migration.settings import Settings
from migration.vault import key_command
from migration.vault.sealing import new_master_key
from tests.harness.waiting import wait_for

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
    given = replace(settings, master_key=new_master_key())
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


async def test_what_it_began_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_command, "TIMEOUT_S", 3.0)
    started = tmp_path / "started"
    child = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(BadSetting, match="has not ended"):
        settings_with(tmp_path, code).keys()
    child_pid = int(started.read_text())

    async def has_ended() -> bool:
        return not psutil.pid_exists(child_pid) or psutil.Process(child_pid).status() == psutil.STATUS_ZOMBIE

    await wait_for(has_ended, "the end of its child", within_s=10)


@pytest.mark.parametrize("env", ["5", "true", "{ a = 1 }", '"VAULT_TOKEN"', "[1]"])
def test_a_list_of_variables_of_another_form_is_said_as_such(tmp_path: Path, env: str) -> None:
    (tmp_path / "cutover.toml").write_text(f'key_command = ["true"]\nkey_command_env = {env}\n')
    (tmp_path / "cutover.toml").chmod(0o600)
    with pytest.raises(BadSetting):
        Settings(home=tmp_path).keys()
    with pytest.raises(BadSetting, match="key_command_env"):
        read_admin_settings(tmp_path / "cutover.toml")


def test_a_pipe_in_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "master.key", 0o600)
    with pytest.raises(BadSetting, match="is a pipe and no file"):
        Settings(home=tmp_path).keys()
