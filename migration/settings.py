"""What the operator sets in the environment: variables `CUTOVER_…`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from migration.clients.addresses import check_address
from migration.errors import BadSetting
from migration.known_variables import check_variables
from migration.runtime.file_access import our_access
from migration.scrubbing.texts import remember
from state.database_url import database_url

if TYPE_CHECKING:
    from pydantic import SecretStr

    from migration.vault.sealing import MasterKeys


PREFIX = "CUTOVER_"
ADMIN_FILE = "cutover.toml"
KEY_FILE = "master.key"
_FOLDERS = ("home", "backup_dir")
_PATHS = (*_FOLDERS, "admin_file", "key_file")
_VERSION = re.compile(r"v\d+\.\d+")


class BadValue(ValueError):
    """`name` is the field whose value cannot be taken; the text says why and does not quote it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Environment variables; each is named `CUTOVER_` and the field's name in capitals. Raises BadValue.

    No model of pydantic, whose import alone costs a command that only reads 50 ms of CPU.
    """

    home: Path = field(default_factory=lambda: Path.home() / ".cutover")
    database_url: str | None = None  # in the form that SQLAlchemy takes; default: SQLite in `home`
    admin_file: Path | None = None  # default: cutover.toml in `home`
    master_key: "SecretStr | None" = None  # default: the key file
    # Comma-separated; they open what was sealed before a rotation. Keys, so `repr` does not show them.
    older_master_keys: str = field(default="", repr=False)
    key_file: Path | None = None  # default: master.key in `home`
    backup_dir: Path | None = None  # for the second copy of each backup; default: backups in `home`
    graph_url: str = "https://graph.facebook.com"
    # Meta's samples of 2026 use v25.0, which is available until 2028-07-29.
    # https://developers.facebook.com/docs/graph-api/changelog/versions/
    graph_version: str = "v25.0"

    def __post_init__(self) -> None:
        for name in _PATHS:
            self._take(name, _folder if name in _FOLDERS else _file)
        self._take("database_url", database_url)
        self._take("graph_url", check_address)
        self._take("graph_version", _graph_version)
        self._take("master_key", _secret)

    def _take(self, name: str, read: Callable[[Any], Any]) -> None:
        given = getattr(self, name)
        if given is None:
            return
        try:
            object.__setattr__(self, name, read(given))
        except (ValueError, RuntimeError, OSError) as exc:  # RuntimeError: a home of an unknown user, ~nobody
            raise BadValue(name, str(exc)) from None  # the error itself may quote the value

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{(self.home / 'cutover.db').absolute()}"

    @property
    def admin_path(self) -> Path:
        return self.admin_file or self.home / ADMIN_FILE

    @property
    def key_path(self) -> Path:
        return self.key_file or self.home / KEY_FILE

    @property
    def backup_folder(self) -> Path:
        return self.backup_dir or self.home / "backups"

    @property
    def key_source(self) -> str:
        """Where the master key comes from: the variable before the admin file's command, and that before the file."""
        if self.master_key is not None:
            return f"{PREFIX}MASTER_KEY"
        from migration.vault.key_command import key_command_of  # noqa: PLC0415  only whoever needs a key

        command = key_command_of(self.admin_path)
        return f"key_command {command.argv[0]}" if command is not None else str(self.key_path)

    def key_file_state(self) -> object:
        """Another value than before once the key file was replaced."""
        try:
            stat = self.key_path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def has_key(self) -> bool:
        """Whether a key is named; a command may still fail to give one."""
        return self.key_source != str(self.key_path) or self.key_path.exists()

    def keys(self) -> "MasterKeys":
        """Raises BadSetting when there is no key, when its command fails, or when others may read its file."""
        from pydantic import SecretStr  # noqa: PLC0415  whoever only reads needs neither this nor ciphers

        from migration.vault.key_command import key_command_of  # noqa: PLC0415
        from migration.vault.sealing import MasterKeys  # noqa: PLC0415

        older = tuple(SecretStr(key.strip()) for key in self.older_master_keys.split(",") if key.strip())
        if self.master_key is not None:
            return MasterKeys(remember(self.master_key), tuple(map(remember, older)))
        command = key_command_of(self.admin_path)
        if command is not None:
            our_access().check(self.admin_path, may_be_mounted=True)  # whoever writes it would run commands as us
            keys = [remember(key) for key in (*command.run(), *older)]
            return MasterKeys(keys[0], tuple(keys[1:]))
        if not self.key_path.exists():
            raise BadSetting(f"there is no master key at {self.key_path}; {_how_to_get_a_key(self.database)}")
        our_access().check(self.key_path, may_be_mounted=True)
        try:
            keys = [SecretStr(key) for key in self.key_path.read_text().split()]
        except OSError as exc:
            raise BadSetting(f"{self.key_path} cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            keys = []
        if not keys:
            raise BadSetting(f"{self.key_path} holds no key; put the copy that you kept in its place")
        keys = [remember(key) for key in (*keys, *older)]
        return MasterKeys(keys[0], tuple(keys[1:]))


def _how_to_get_a_key(database: str) -> str:
    """A new key is of use only where there is no database yet: it opens nothing of an existing one."""
    scheme, _, path = database.partition(":///")
    if scheme.startswith("sqlite") and not Path(path).exists():
        return "`cutover init` makes one"
    return "put the copy that you kept there (`cutover runbook key-lost`); for a new home `cutover init` makes one"


def read_settings() -> Settings:
    """Raises BadSetting with one line that names the variable, also for one that nothing reads."""
    variables = {each.name: f"{PREFIX}{each.name.upper()}" for each in fields(Settings)}
    given: dict[str, Any] = {name: os.environ[key] for name, key in variables.items() if key in os.environ}
    try:
        settings = Settings(**given)
    except BadValue as exc:
        raise BadSetting(f"{variables[exc.name]}: {exc}") from None
    password = _database_password(settings.database)
    if password:
        remember(_secret(password))
    check_variables(os.environ, variables, settings.admin_path)
    return settings


def _path(given: str | Path) -> Path:
    """An empty one would be the folder in which the command is typed: a script whose own variable is not set."""
    if not str(given).strip():
        raise ValueError("it is empty; give a path, or unset it")
    return Path(given).expanduser()


def _folder(given: str | Path) -> Path:
    path = _path(given)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is no folder")
    return path


def _file(given: str | Path) -> Path:
    """Not a folder: its rights would be taken from all others, which `/etc` does not survive."""
    path = _path(given)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    return path


def _graph_version(given: str) -> str:
    if _VERSION.fullmatch(given) is None:
        raise ValueError("it is no version of Graph, such as v25.0")
    return given


def _secret(given: "str | SecretStr") -> "SecretStr":
    from pydantic import SecretStr  # noqa: PLC0415  whoever only reads has none

    return SecretStr(given) if isinstance(given, str) else given


def _database_password(url: str) -> str:
    try:
        return make_url(url).password or ""
    except (ArgumentError, ValueError):
        return ""


def without_prefix(message: str) -> str:
    """Without what pydantic puts before the sentences of our own checks."""
    return message.removeprefix("Value error, ")
