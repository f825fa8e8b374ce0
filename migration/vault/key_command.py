"""The master key from a command or a secret store: `key_command` in the admin file."""

import os
import subprocess
import tomllib
from collections.abc import Sequence
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
            done = subprocess.run(  # noqa: S603  the administrator's own command, without a shell
                self.argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except OSError as exc:
            raise self._bad(f"cannot be run: {exc.strerror}") from exc
        except subprocess.TimeoutExpired:
            raise self._bad(f"has not ended within {TIMEOUT_S:g} s") from None
        if done.returncode != 0:
            raise self._bad(f"has ended with exit code {done.returncode}")
        try:
            keys = done.stdout.decode("ascii").split()
        except UnicodeDecodeError:
            keys = []
        if not keys:
            raise self._bad("has printed no key")
        return [SecretStr(key) for key in keys]

    def _bad(self, what: str) -> BadSetting:
        return BadSetting(
            f"the master key: key_command {self.argv[0]} of the admin file {what}; type it by hand to see why"
        )


def key_command_of(admin_path: Path) -> KeyCommand | None:
    """None where the admin file names none. What else is wrong with the file, `read_admin_settings` says."""
    try:
        document = tomllib.loads(admin_path.read_text())
    except (OSError, ValueError):
        return None
    argv, env = document.get("key_command"), document.get("key_command_env", [])
    if not (isinstance(argv, list) and argv and all(isinstance(part, str) for part in [*argv, *env])):
        return None
    return KeyCommand(tuple(argv), tuple(env))
