"""What the operator sets: environment variables `CUTOVER_…` and one admin file. Read by `bootstrap` only."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from migration.clients.commands import NamedCommand
from migration.errors import BadSetting
from migration.vault.sealing import MasterKeys

ADMIN_FILE = "cutover.toml"
KEY_FILE = "master.key"


class Settings(BaseSettings):
    """Environment variables, each `CUTOVER_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CUTOVER_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=lambda: Path.home() / ".cutover")
    database_url: str | None = None  # default: SQLite in `home`
    admin_file: Path | None = None  # default: cutover.toml in `home`
    master_key: SecretStr | None = None  # default: the key file
    # Comma-separated, to open what was sealed before a rotation; keys, so never shown.
    older_master_keys: str = Field(default="", repr=False)
    key_file: Path | None = None  # default: master.key in `home`
    backup_dir: Path | None = None  # the second place of backups; default: backups in `home`
    graph_url: str = "https://graph.facebook.com"
    # Meta's samples of 2026 use v25.0, which lives until 2028-07-29.
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
    def shelf(self) -> Path:
        return self.backup_dir or self.home / "backups"

    def keys(self) -> MasterKeys:
        """Raises BadSetting when there is no key, or when others may read its file."""
        older = tuple(SecretStr(one.strip()) for one in self.older_master_keys.split(",") if one.strip())
        if self.master_key is not None:
            return MasterKeys(self.master_key, older)
        if not self.key_path.exists():
            raise BadSetting(f"there is no master key at {self.key_path}; {_how_to_get_one(self.database)}")
        if self.key_path.stat().st_mode & 0o077:
            raise BadSetting(f"others may read {self.key_path}; `chmod 600 {self.key_path}` and try again")
        try:
            found = [SecretStr(one) for one in self.key_path.read_text().split()]
        except OSError as exc:
            raise BadSetting(f"{self.key_path} cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            found = []
        if not found:
            raise BadSetting(f"{self.key_path} holds no key; put the copy that you kept in its place")
        return MasterKeys(found[0], (*found[1:], *older))


def _how_to_get_one(database: str) -> str:
    """A new key opens nothing of a database that is there already."""
    scheme, _, path = database.partition(":///")
    if scheme.startswith("sqlite") and not Path(path).exists():
        return "`cutover init` makes one"
    return "put the copy that you kept there (`cutover runbook key-lost`); for a new home `cutover init` makes one"


def read_settings() -> Settings:
    """Raises BadSetting with one line that names the variable."""
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "CUTOVER_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadSetting(f"{name}: {first['msg']}") from exc


class SecretRef(BaseModel):
    """Where a secret is read from; never the secret itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> "SecretRef":
        if (self.env is None) == (self.file is None):
            raise ValueError('give either { env = "NAME" } or { file = "PATH" }')
        return self

    def read(self, what: str, folder: Path) -> SecretStr:
        """Raises BadSetting. A relative path counts from the admin file's folder."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise BadSetting(f"{what}: the environment variable {self.env} is not set")
            return SecretStr(value)
        assert self.file is not None
        path = folder / self.file
        try:
            value = path.read_text().strip()
        except OSError as exc:
            raise BadSetting(f"{what}: {path} cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            raise BadSetting(f"{what}: {path} is not text") from None
        if not value:
            raise BadSetting(f"{what}: {path} is empty")
        return SecretStr(value)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProfileSettings(_Part):
    """One credential profile: an app and its system-user token."""

    app_id: str = Field(pattern=r"^\d+$")
    token: SecretRef
    app_secret: SecretRef | None = None
    verify_token: SecretRef | None = None


class HookSettings(_Part):
    """A partner's traffic hook. Its secret signs what we say to it."""

    url: str = Field(pattern=r"^https?://")
    secret: SecretRef


class SmokeSettings(_Part):
    """The message that proves a number can send; without `to` only numbers with a recipient of their own send one."""

    to: str | None = None
    template: str = "hello_world"
    language: str = "en_US"


class Admin(_Part):
    """The admin file."""

    profiles: Mapping[str, ProfileSettings] = {}
    commands: Mapping[str, NamedCommand] = {}
    hooks: Mapping[str, HookSettings] = {}
    smoke: SmokeSettings = SmokeSettings()


def read_admin(path: Path) -> Admin:
    """Raises BadSetting with one line that names the place in the file."""
    try:
        return Admin.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError as exc:
        raise BadSetting(f"there is no admin file {path}; `cutover init` writes one to fill in") from exc
    except OSError as exc:
        raise BadSetting(f"{path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadSetting(f"{path} is not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadSetting(f"{path}: {place}: {first['msg']}") from exc
