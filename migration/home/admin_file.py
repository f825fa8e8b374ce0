"""The admin file: credential profiles, commands, hooks and the smoke message. TOML, in the home folder."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from migration.clients.addresses import check_hook_address
from migration.clients.certificates import Authority, Trust, pin_in_usual_form, pin_of
from migration.clients.commands import NamedCommand
from migration.clients.hook_arguments import hook_problem
from migration.errors import BadSetting
from migration.notify.notify_targets import CauseKind, QuietHours, Target
from migration.runtime.file_access import our_access
from migration.scrubbing.prose import without_likely_secrets
from migration.scrubbing.texts import remember
from migration.settings import without_prefix
from state.ledger.shredding import KeepFor
from state.phone_spelling import plain_digits


def _certificate(given: str) -> str:
    return pin_in_usual_form(given) or given


def _site(given: str) -> str:
    """An address of pages of ours: scheme, host and port, perhaps a path, nothing else."""
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("give an address as https://codes.example.com")
    _ = parts.port  # raises ValueError where it is none
    return given.rstrip("/")


def _recipient(given: str) -> str:
    """Without its plus, Graph puts the country code of the sending number in front of it."""
    number = re.sub(r"[\s().-]", "", plain_digits(given))
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is None:
        raise ValueError("give a number with its plus and country code, as +15550104321")
    return number


GivenRecipient = Annotated[str, AfterValidator(_recipient)]
GivenCertificate = Annotated[str, AfterValidator(_certificate)]
GivenSite = Annotated[str, AfterValidator(_site)]
GivenHookAddress = Annotated[str, AfterValidator(check_hook_address)]  # a hook's may have a query


# A token that stands where its variable or its file belongs is a usual slip, and no error may show it.
_USUAL_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,80}")
NOT_SHOWN = "that it names (not shown, for it may be the secret itself)"


def _shown_variable(name: str) -> str:
    usual = _USUAL_NAME.fullmatch(name) is not None and without_likely_secrets(name) == name
    return f"the environment variable {name if usual else NOT_SHOWN}"


def _shown_file(given: Path, full: Path) -> str:
    usual = all(without_likely_secrets(part) == part for part in given.parts)
    return str(full) if usual else f"the file {NOT_SHOWN}"


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
                raise BadSetting(f"{name}: {_shown_variable(self.env)} is not set")
            return remember(SecretStr(value))
        assert self.file is not None
        path = folder / self.file
        shown = _shown_file(self.file, path)
        try:
            our_access().check(path, may_be_mounted=True)
        except BadSetting as exc:
            raise BadSetting(f"{name}: {exc}") from None
        try:
            value = path.read_text().strip()
        except OSError as exc:
            raise BadSetting(f"{name}: {shown} cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError:
            raise BadSetting(f"{name}: {shown} is not text") from None
        if not value:
            raise BadSetting(f"{name}: {shown} is empty")
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
    """A partner's traffic hook: an address with the secret that signs what we send to it, or a named command."""

    url: GivenHookAddress | None = None
    secret: SecretSource | None = None
    command: str | None = None
    certificate: GivenCertificate | None = None
    clear_http: bool = False

    @model_validator(mode="after")
    def _check_one_way(self) -> "HookSettings":
        of_http = (self.url, self.secret)
        if self.command is None and None in of_http:
            raise ValueError("needs url and secret, or command")
        if self.command is not None and (of_http != (None, None) or self.certificate is not None or self.clear_http):
            raise ValueError("has a command, so it takes neither url, secret, certificate nor clear_http")
        return self


class AuthoritySettings(_AdminTable):
    """An own certificate authority; rows and hooks name it in `certificate`. A relative path counts from the file."""

    file: Path


class SmokeSettings(_AdminTable):
    """The message that proves that a number can send. Without `to`, only numbers with their own recipient send it.

    `text`: sent in place of the template; Meta delivers it only to somebody who has written within 24 h.
    """

    to: GivenRecipient | None = None
    text: str | None = Field(default=None, min_length=1, max_length=4096)
    template: str = "hello_world"
    language: str = "en_US"


class DrainSettings(_AdminTable):
    """For how long a cutover waits for a client that still holds callbacks, and what it does then."""

    limit_min: float = Field(default=10, gt=0, le=1440)
    at_limit: Literal["wait", "go_on"] = "wait"  # for a person, or without one: what is still queued is lost


class CodesSettings(_AdminTable):
    """How many codes may be on their way at once for each operator on duty; 0: no limit."""

    per_operator: int = Field(default=0, ge=0, le=1000)


class RetentionSettings(_AdminTable):
    """How long is kept what may still be needed, in days."""

    backups_days: int = Field(default=30, ge=0, le=3650)  # after the last migration of the number has ended
    customers_days: int | None = Field(default=None, ge=3, le=3650)  # None: until `cutover forget`
    superseded_days: int = Field(default=7, ge=0, le=3650)  # a PIN or password in whose place an unproved one is
    webhooks_days: int = Field(default=30, ge=0, le=3650)  # after they were received

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
    operator: str | None = Field(default=None, min_length=1, max_length=100)  # told while the roster has them on duty

    @model_validator(mode="after")
    def _check_hours(self) -> "NotifySettings":
        self.quiet_hours()
        return self

    def quiet_hours(self) -> QuietHours | None:
        """Raises ValueError, which says what is wrong."""
        try:
            zone = ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # the last: of a region, such as "Europe", on Python 3.11
            raise ValueError(f"there is no time zone {self.time_zone!r}; give one as Europe/Berlin") from None
        if self.quiet is None:
            return None
        times = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", self.quiet)
        if times is None:
            raise ValueError('give quiet hours as "22:00-07:00"')
        start, end = time(int(times[1]), int(times[2])), time(int(times[3]), int(times[4]))
        if start == end:
            raise ValueError("quiet hours begin and end at the same time, so there are none; leave quiet out")
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
            self.operator,
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


class GatewaySettings(_AdminTable):
    """An SMS gateway that posts what arrives for numbers of the fleet. `kind` says how it signs and what it posts."""

    kind: Literal["json", "twilio"] = "json"
    secret: SecretSource  # signs each post; of Twilio: the account's auth token


class RouterSettings(_AdminTable):
    """A router of the partner's that reads `/v1/routes`: all numbers, or those of these customers."""

    token: SecretSource
    customers: frozenset[str] | None = None

    def reads_for(self, customer: str) -> bool:
        return self.customers is None or customer in self.customers


class WebSettings(_AdminTable):
    """`cutover serve`: who may sign in, and where its pages and doors are reached from outside."""

    pages_url: GivenSite | None = None  # of the operators' pages behind a proxy
    public_url: GivenSite | None = None  # of customers' rooms and the gateways' doors; gateways sign it
    public_listen: str | None = Field(default=None, pattern=r"^\[?[0-9A-Za-z.:-]*\]?:\d{1,5}$")
    proxy_header: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9-]{2,63}$")
    proxy_addresses: tuple[str, ...] = ("127.0.0.1", "::1")  # only what comes from them is believed that header
    tokens: Mapping[str, SecretSource] = {}  # by the name of the operator
    gateways: Mapping[str, GatewaySettings] = {}
    routers: Mapping[str, RouterSettings] = {}

    @property
    def has_named_sign_in(self) -> bool:
        """Whether somebody on another machine can say who they are."""
        return bool(self.tokens) or self.proxy_header is not None


class AdminSettings(_AdminTable):
    """The admin file. `key_command` prints the master key: `migration.vault.key_command` runs it."""

    key_command: tuple[str, ...] | None = Field(default=None, min_length=1)
    key_command_env: tuple[str, ...] = ()
    profiles: Mapping[str, ProfileSettings] = {}
    commands: Mapping[str, NamedCommand] = {}
    hooks: Mapping[str, HookSettings] = {}
    certificates: Mapping[str, AuthoritySettings] = {}
    smoke: SmokeSettings = SmokeSettings()
    drain: DrainSettings = DrainSettings()
    codes: CodesSettings = CodesSettings()
    retention: RetentionSettings = RetentionSettings()
    notify: tuple[NotifySettings, ...] = ()
    heartbeat: HeartbeatSettings | None = None
    record: RecordSettings = RecordSettings()
    web: WebSettings = WebSettings()

    @model_validator(mode="after")
    def _check_names(self) -> "AdminSettings":
        for name, hook in self.hooks.items():
            if hook.command is not None and hook.command not in self.commands:
                raise ValueError(f"hooks.{name}.command: there is no [commands.{hook.command}]")
            problem = hook_problem(self.commands[hook.command]) if hook.command is not None else None
            if problem is not None:
                raise ValueError(f"hooks.{name}.command: in [commands.{hook.command}], {problem}; docs/hooks.md")
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
