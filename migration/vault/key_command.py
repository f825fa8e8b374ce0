"""The master key from a command or a secret store: `key_command` in the admin file."""

import os
import signal
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from migration.errors import BadSetting

TIMEOUT_S = 30.0
# What a command gets of our environment beside the names in `key_command_env`.
ENVIRONMENT = ("PATH", "HOME", "LANG")


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """`argv` prints the keys, the current one first. No shell. `env`: more names of variables that it gets."""

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()

    def run(self) -> Sequence[SecretStr]:
        """Raises BadSetting, without what the command has printed."""
        environment = {name: os.environ[name] for name in (*ENVIRONMENT, *self.env) if name in os.environ}
        try:
            exit_code, printed = _run(self.argv, environment)
        except OSError as exc:
            raise self._bad(f"cannot be run: {exc.strerror}") from exc
        except subprocess.TimeoutExpired:
            raise self._bad(f"has not ended within {TIMEOUT_S:g} s") from None
        if exit_code != 0:
            raise self._bad(f"has ended with exit code {exit_code}")
        try:
            keys = printed.decode("ascii").split()
        except UnicodeDecodeError:
            keys = []
        if not keys:
            raise self._bad("has printed no key")
        return [SecretStr(key) for key in keys]

    def _bad(self, what: str) -> BadSetting:
        return BadSetting(
            f"the master key: key_command {self.argv[0]} of the admin file {what}; type it by hand to see why"
        )


def _run(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes]:
    """Its exit code and what it has printed. What it began ends with it where its time is over, or where this is
    interrupted. Raises OSError and TimeoutExpired."""
    with subprocess.Popen(  # noqa: S603  the administrator's own command, without a shell
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=TIMEOUT_S)
        except BaseException:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, printed


def key_command_of(admin_path: Path) -> KeyCommand | None:
    """None where the admin file names none. What else is wrong with the file, `read_admin_settings` says."""
    try:
        if admin_path.is_fifo():
            return None  # nothing may ever write into it
        document = tomllib.loads(admin_path.read_text())
    except (OSError, ValueError):
        return None
    argv, env = document.get("key_command"), document.get("key_command_env", [])
    if not (isinstance(argv, list) and argv and isinstance(env, list)):
        return None
    if not all(isinstance(part, str) for part in [*argv, *env]):
        return None
    return KeyCommand(tuple(argv), tuple(env))
