"""The admin file: credential profiles, commands, hooks and the smoke message. TOML, in the home folder."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from migration.clients.addresses import check_hook_address
from migration.clients.certificates import Authority, Trust, pin_in_usual_form, pin_of
from migration.clients.commands import NamedCommand
from migration.errors import BadSetting
from migration.notify.notify_targets import CauseKind, QuietHours, Target
from migration.runtime.file_access import our_access
from migration.scrubbing.texts import remember
from migration.settings import without_prefix
from state.ledger.shredding import KeepFor


def _certificate(given: str) -> str:
    return pin_in_usual_form(given) or given


GivenCertificate = Annotated[str, AfterValidator(_certificate)]
GivenHookAddress = Annotated[str, AfterValidator(check_hook_address)]  # a hook's may have a query


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
            our_access().check(path, may_be_mounted=True)
        except BadSetting as exc:
            raise BadSetting(f"{name}: {exc}") from None
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
    clear_http: bool = False  # its instances, and a Graph address that was set, may be http:// beyond this machine


class HookSettings(_AdminTable):
    """A partner's traffic hook. The secret signs what we send to it."""

    url: GivenHookAddress
    secret: SecretSource
    certificate: GivenCertificate | None = None
    clear_http: bool = False


class AuthoritySettings(_AdminTable):
    """An own certificate authority; rows and hooks name it in `certificate`. A relative path counts from the file."""

    file: Path


class SmokeSettings(_AdminTable):
    """The message that proves that a number can send. Without `to`, only numbers with their own recipient send it."""

    to: str | None = None
    template: str = "hello_world"
    language: str = "en_US"


class RetentionSettings(_AdminTable):
    """How long is kept what may still be needed, in days."""

    backups_days: int = Field(default=30, ge=0, le=3650)  # after the last migration of the number has ended
    customers_days: int | None = Field(default=None, ge=3, le=3650)  # None: until `cutover forget`
    superseded_days: int = Field(default=7, ge=0, le=3650)  # a PIN or password in whose place an unproved one is

    def keep(self) -> KeepFor:
        return KeepFor(timedelta(days=self.backups_days), timedelta(days=self.superseded_days))


class NotifySettings(_AdminTable):
    """One target of messages: any address of Apprise, https://appriseit.com/services/"""

    url: SecretStr | SecretSource
    kinds: frozenset[CauseKind] = frozenset(CauseKind)
    after_min: float = Field(default=0, ge=0, le=10_080)
    repeat_min: float = Field(default=60, ge=0, le=10_080)  # 0: no reminders
    quiet: str | None = None  # as "22:00-07:00"
    time_zone: str = "UTC"

    @model_validator(mode="after")
    def _check_hours(self) -> "NotifySettings":
        self.quiet_hours()
        return self

    def quiet_hours(self) -> QuietHours | None:
        """Raises ValueError, which says what is wrong."""
        try:
            zone = ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {self.time_zone!r}; give one as Europe/Berlin") from None
        if self.quiet is None:
            return None
        times = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", self.quiet)
        if times is None:
            raise ValueError('give quiet hours as "22:00-07:00"')
        start, end = time(int(times[1]), int(times[2])), time(int(times[3]), int(times[4]))
        return QuietHours(start, end, zone)

    def target(self, folder: Path) -> Target:
        """Raises BadSetting where its address cannot be read."""
        url = self.url if isinstance(self.url, SecretStr) else self.url.read("notify", folder)
        return Target(
            url,
            self.kinds,
            timedelta(minutes=self.after_min),
            timedelta(minutes=self.repeat_min) if self.repeat_min else None,
            self.quiet_hours(),
        )


class HeartbeatSettings(_AdminTable):
    """An address that is asked as long as something of ours runs: a service outside calls a person when it stops."""

    url: SecretStr | SecretSource
    every_min: float = Field(default=1, gt=0, le=1440)

    def address(self, folder: Path) -> SecretStr:
        """Raises BadSetting where it cannot be read."""
        return self.url if isinstance(self.url, SecretStr) else self.url.read("heartbeat", folder)


class RecordSettings(_AdminTable):
    """Where the fleet's head is anchored every minute, beside the file in the home folder."""

    anchor_file: Path | None = None
    anchor_webhook: GivenHookAddress | None = None


class AdminSettings(_AdminTable):
    """The admin file. `key_command` prints the master key: `migration.vault.key_command` runs it."""

    key_command: tuple[str, ...] | None = Field(default=None, min_length=1)
    key_command_env: tuple[str, ...] = ()
    profiles: Mapping[str, ProfileSettings] = {}
    commands: Mapping[str, NamedCommand] = {}
    hooks: Mapping[str, HookSettings] = {}
    certificates: Mapping[str, AuthoritySettings] = {}
    smoke: SmokeSettings = SmokeSettings()
    retention: RetentionSettings = RetentionSettings()
    notify: tuple[NotifySettings, ...] = ()
    heartbeat: HeartbeatSettings | None = None
    record: RecordSettings = RecordSettings()

    @model_validator(mode="after")
    def _check_names(self) -> "AdminSettings":
        for name, hook in self.hooks.items():
            if hook.certificate is not None and not self.knows_certificate(hook.certificate):
                raise ValueError(
                    f"hooks.{name}.certificate: neither sha256:<64 hexadecimal digits> nor a name of [certificates]"
                )
        return self

    def knows_certificate(self, kept: str) -> bool:
        return pin_of(kept) is not None or kept in self.certificates

    def trust(self, kept: str | None, folder: Path) -> Trust | None:
        """What `certificate` of a row or hook means. Raises BadSetting for a name that the file does not have."""
        if kept is None:
            return None
        pin = pin_of(kept)
        if pin is not None:
            return pin
        if kept not in self.certificates:
            raise BadSetting(f"the admin file names no certificate {kept}")
        return Authority(folder / self.certificates[kept].file)


def read_admin_settings(path: Path, *, check: bool = True) -> AdminSettings:
    """Raises BadSetting with one line that names the place in the file, or says who else may read or write it."""
    if check:
        our_access().check(path, may_be_mounted=True)
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
        raise BadSetting(
            f"{path}: {place}: {without_prefix(first['msg'])}"
        ) from None  # the error itself quotes the value
