"""What the operator sets: environment variables `CUTOVER_…`, and one admin file."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from migration.clients.addresses import address_problem
from migration.clients.commands import NamedCommand
from migration.errors import BadSetting
from migration.known_variables import check_variables
from migration.scrubbing.texts import remember
from migration.vault.sealing import MasterKeys
from state.database_url import database_url


def _checked_base(address: str) -> str:
    return _checked_address(address, base=True)


def _checked_hook(address: str) -> str:
    return _checked_address(address, base=False)


def _checked_address(address: str, *, base: bool) -> str:
    problem = address_problem(address, base=base)
    if problem is not None:
        raise ValueError(f"the address {problem}")
    return address


GivenPath = Annotated[Path, AfterValidator(Path.expanduser)]
GivenDatabase = Annotated[str, AfterValidator(database_url)]  # in the form that SQLAlchemy takes
GivenAddress = Annotated[str, AfterValidator(_checked_base)]
GivenHookAddress = Annotated[str, AfterValidator(_checked_hook)]  # a hook's may have a query

ADMIN_FILE = "cutover.toml"
KEY_FILE = "master.key"


class Settings(BaseSettings):
    """Environment variables; each is named `CUTOVER_` and the field's name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CUTOVER_", extra="ignore", frozen=True)

    home: GivenPath = Field(default_factory=lambda: Path.home() / ".cutover")
    database_url: GivenDatabase | None = None  # default: SQLite in `home`
    admin_file: GivenPath | None = None  # default: cutover.toml in `home`
    master_key: SecretStr | None = None  # default: the key file
    # Comma-separated; they open what was sealed before a rotation. Keys, so `repr` does not show them.
    older_master_keys: str = Field(default="", repr=False)
    key_file: GivenPath | None = None  # default: master.key in `home`
    backup_dir: GivenPath | None = None  # for the second copy of each backup; default: backups in `home`
    graph_url: GivenAddress = "https://graph.facebook.com"
    # Meta's samples of 2026 use v25.0, which is available until 2028-07-29.
    # https://developers.facebook.com/docs/graph-api/changelog/versions/
    graph_version: str = Field(default="v25.0", pattern=r"^v\d+\.\d+$")

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

    def keys(self) -> MasterKeys:
        """Raises BadSetting when there is no key, or when others may read its file."""
        older = tuple(SecretStr(key.strip()) for key in self.older_master_keys.split(",") if key.strip())
        if self.master_key is not None:
            return MasterKeys(remember(self.master_key), tuple(map(remember, older)))
        if not self.key_path.exists():
            raise BadSetting(f"there is no master key at {self.key_path}; {_how_to_get_a_key(self.database)}")
        if self.key_path.stat().st_mode & 0o077:
            raise BadSetting(f"others may read {self.key_path}; `chmod 600 {self.key_path}` and try again")
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
    try:
        settings = Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "CUTOVER_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadSetting(f"{name}: {_sentence(first['msg'])}") from None  # the error itself quotes the value
    password = _database_password(settings.database)
    if password:
        remember(SecretStr(password))
    check_variables(os.environ, Settings.model_fields, settings.admin_path)
    return settings


def _database_password(url: str) -> str:
    try:
        return make_url(url).password or ""
    except (ArgumentError, ValueError):
        return ""


def _sentence(message: str) -> str:
    """Without what pydantic puts before the sentences of our own checks."""
    return message.removeprefix("Value error, ")


class SecretSource(BaseModel):
    """Where a secret is read from: an environment variable or a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _check_one_is_given(self) -> "SecretSource":
        if (self.env is None) == (self.file is None):
            raise ValueError('give either { env = "NAME" } or { file = "PATH" }')
        return self

    def read(self, name: str, folder: Path) -> SecretStr:
        """A relative path counts from `folder`, the admin file's. Raises BadSetting, which begins with `name`."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise BadSetting(f"{name}: the environment variable {self.env} is not set")
            return remember(SecretStr(value))
        assert self.file is not None
        path = folder / self.file
        try:
            value = path.read_text().strip()
        except OSError as exc:
            raise BadSetting(f"{name}: {path} cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            raise BadSetting(f"{name}: {path} is not text") from None
        if not value:
            raise BadSetting(f"{name}: {path} is empty")
        return remember(SecretStr(value))


class _AdminTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProfileSettings(_AdminTable):
    """One credential profile: an app and its system-user token."""

    app_id: str = Field(pattern=r"^\d+$")
    token: SecretSource
    app_secret: SecretSource | None = None
    verify_token: SecretSource | None = None


class HookSettings(_AdminTable):
    """A partner's traffic hook. The secret signs what we send to it."""

    url: GivenHookAddress
    secret: SecretSource


class SmokeSettings(_AdminTable):
    """The message that proves that a number can send. Without `to`, only numbers with their own recipient send it."""

    to: str | None = None
    template: str = "hello_world"
    language: str = "en_US"


class AdminSettings(_AdminTable):
    """The admin file."""

    profiles: Mapping[str, ProfileSettings] = {}
    commands: Mapping[str, NamedCommand] = {}
    hooks: Mapping[str, HookSettings] = {}
    smoke: SmokeSettings = SmokeSettings()


def read_admin_settings(path: Path) -> AdminSettings:
    """Raises BadSetting with one line that names the place in the file."""
    try:
        return AdminSettings.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError as exc:
        raise BadSetting(f"there is no admin file {path}; `cutover init` writes one to fill in") from exc
    except OSError as exc:
        raise BadSetting(f"{path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadSetting(f"{path} is not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadSetting(f"{path}: {place}: {_sentence(first['msg'])}") from None  # the error itself quotes the value
