"""Every behaviour of the far side that Meta does not document, as a named switch.

A switch is a question that no page answers; its values are the plausible answers. Software is right when
it is right under every value. In brackets: the page that leaves it open, by its key in `pages.py`.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

YesNo = Literal["yes", "no"]
Taken = Literal["accepted", "refused"]


@dataclass(frozen=True, slots=True)
class Switches:
    # -- PIN
    pin_while_not_on_cloud: Literal["accepted", "onprem_keeps", "refused"] = "accepted"
    """Whether `POST /{phone} {pin}` sets the PIN of a number that is not registered on Cloud; `onprem_keeps`: it says
    so, and an On-Premises number keeps the PIN it has. [2FA]"""
    pin_refused_code: Literal[133010, 100] = 133010
    """What that call answers where it is refused. [ERR]"""
    wrong_pin_code: Literal[133005, 131031] = 133005
    """The code of a wrong PIN on `register`; the error page gives both. [ERR]"""
    wrong_pin_drops_onprem: YesNo = "yes"
    """Documented as yes: a wrong PIN still takes the On-Premises deployment down. [MIGR]"""
    platform_after_wrong_pin: Literal["NOT_APPLICABLE", "ON_PREMISE"] = "NOT_APPLICABLE"
    """What `platform_type` shows for a number that a wrong PIN took down. [none]"""
    restart_heals_wrong_pin: YesNo = "no"
    """Whether the client connects again when it is restarted after a wrong PIN. [none]"""
    pin_guesses: int = 5
    """Wrong PINs after which `register` answers 133008 and the number is locked. [ERR]"""
    pin_lock_s: float = 12 * 3600
    """How long 133008 lasts, in seconds. [ERR]"""
    pin_too_fast_s: float = 60
    """Two wrong PINs within this many seconds give 133009 for as long again. 0: never. [ERR]"""

    # -- register
    already_registered: Literal["success", 100] = "success"
    """`register` with the right PIN for a number that is on Cloud already. [NAMES]"""
    success_as: Literal["bool", "string"] = "bool"
    """Whether success is `true` or `"true"`; older samples show the string. [MIGR]"""
    register_seconds: float = 0
    """The longest the move inside `register` takes; up to 15 s are documented. Only a server lets it pass. [MIGR]"""
    read_lag_s: float = 0
    """For how many seconds reads still show what was true before a write. [none]"""
    refused_register_drops_onprem: YesNo = "no"
    """Whether a `register` refused for another reason than the PIN takes On-Premises down as well. [MIGR]"""
    dark_verified_registers: YesNo = "yes"
    """Whether a verified number that is on neither side registers without another code. [REG]"""
    failed_registers_count: YesNo = "yes"
    """Whether refused calls count to the ten in 72 hours. [REG]"""
    profile_survives: YesNo = "yes"
    """Whether the business profile survives a move with backup. Without one it is lost (documented). [MIGR]"""
    deregister_then_133015: bool = False
    """Whether `register` within five minutes of `deregister` answers 133015. [ERR]"""
    deleted_number_reads: Literal[33, "DELETED"] = 33
    """What a read of a deleted number gives: error 33, or the number with this `status`; documented both. [PHONES]"""
    id_after_deletion: Literal["new", "same"] = "new"
    """Whether a number that was deleted and is added again has another phone number id; the old one is then gone.
    [PHONES]"""
    pin_after_deletion: Literal["gone", "kept"] = "gone"
    """Whether two-step is off for such a number, or asks for the PIN it had. [2FA]"""
    verify_after_signup_window: Literal["void", "renews"] = "void"
    """What a code verified later than 14 days after Embedded Signup is worth: nothing, or another 14 days. [PARTNER]"""
    signup_window_code: Literal[133006, 100] = 133006
    """The code with which `register` says that the 14 days are over. [PARTNER]"""
    business_app_text: Literal["in_turn", "smb", "missing_permission"] = "in_turn"
    """In which words 100 says that a number is on the Business app; both were seen. [FIELD]"""
    banned_register_code: Literal[368, 131031] = 368
    """The code of `register` for a number that is banned. [ERR]"""
    tos_code: Literal[100, 200, 133004] = 100
    """The code with which `register` says that the terms of service were not accepted. [PARTNER]"""

    # -- backup
    old_backup_accepted: YesNo = "no"
    """Whether `register` takes a backup older than `old_backup_hours`. [BACKUP]"""
    old_backup_hours: float = 24
    """From what age on a backup is old, in hours. [BACKUP]"""
    backup_after_sunset: Taken = "accepted"
    """Whether `register` still takes a backup after 2025-10-23 (in the world after-sunset). [MIGR]"""
    bad_backup_code: Literal[100, 133002] = 100
    """The code of a backup that is garbled. [ERR]"""
    backup_password_code: Literal["same", 100, 133002] = "same"
    """The code of a backup with another's password; `same`: as a garbled one. [ERR]"""
    foreign_backup_code: Literal["same", 100, 133002] = "same"
    """The code of a backup of another number. [ERR]"""
    old_backup_code: Literal["same", 100, 133002] = "same"
    """The code of a backup that is too old, or too late. [ERR]"""
    bad_backup_drops_onprem: YesNo = "no"
    """Whether such a backup takes On-Premises down. [MIGR]"""

    # -- code
    code_while_on_premises: Taken = "accepted"
    """Whether `request_code` works while the client serves the number (refused: 136024 with 2388091). [CODE]"""
    verify_wrong_code: Literal[136025, 100] = 136025
    """The code of a wrong or used-up verification code. [ERR]"""
    code_minutes: float = 10
    """How long a code lives. [OPENAPI]"""
    codes_a_day: int = 10
    """Codes per number in 24 hours, before 136024 with 2388367. [FIELD]"""
    code_tries: int = 5
    """Wrong entries after which a code is dead. 0: never. [CODE]"""
    code_delay_s: float = 0
    """Seconds until a code arrives. [none]"""
    sms_to_landline: Literal["lost", "refused"] = "lost"
    """What becomes of a code sent by SMS to a number that only takes calls. [PHONES]"""

    # -- On-Premises
    health_after_move: Literal["disconnected", "unregistered", "connection_refused"] = "disconnected"
    """How the old client shows that its number went to Cloud. [HEALTH]"""
    status_when_stopped: Literal["DISCONNECTED", "CONNECTED"] = "DISCONNECTED"
    """What Graph's `status` shows while the client of an On-Premises number is down. [PHONES]"""
    platform_when_expired: Literal["ON_PREMISE", "NOT_APPLICABLE"] = "ON_PREMISE"
    """What `platform_type` shows for a number whose client expired or whose host is gone. [PHONES]"""
    expired_client: Literal["serves_local", "coreapp_1014", "refuses_all"] = "serves_local"
    """What an expired client still answers. [none]"""
    expired_call_code: Literal[1014, 1011] = 1014
    """With which code an expired client that serves local calls refuses `account`, `account/verify` and a restore.
    [none]"""
    expired_restore: Taken = "accepted"
    """Whether such a client still takes a restore, which brings nothing back. [BACKUP]"""
    expired_backup: Taken = "refused"
    """Whether an expired client that serves local calls still makes a backup. [BACKUP]"""
    account_block_status: Literal[403, 401, 400] = 403
    """The HTTP status of 1005 `biz_link_on_prem_reg_blocked`. [ACCOUNT]"""
    account_block_registered: Literal["blocked", "exists"] = "blocked"
    """Whether it also meets a client that asks for the number it has; before the block that was 201. [ACCOUNT]"""
    account_block_body: Literal["errors", "bare"] = "errors"
    """Whether it comes in `errors` as all others do, or as the bare object that the page prints. [ACCOUNT]"""
    restore_registers: Literal["open_world", "always", "never", "even_from_cloud"] = "open_world"
    """Whether a restore on a clean node brings back a number that had left On-Premises, or even takes it off Cloud.
    [BACKUP]"""
    callbacks_after_move: Literal["lost", "delivered"] = "lost"
    """What becomes of webhooks that the old client had queued when its number moved. [MOVING]"""
    restore_refused_code: Literal[1009, 1014] = 1009
    """The code of a restore whose backup does not open, or does not fit. [BACKUP]"""
    backup_not_running_code: Literal[1014, 1011] = 1014
    """The code of a backup asked of a client that is not registered and running. [BACKUP]"""
    backup_failed_code: Literal[1014, 1000, 1023] = 1014
    """The code of a backup that a running client cannot make. [BACKUP]"""
    not_connected_code: Literal[1014, 1011] = 1014
    """The code of two-step and of `account/shards` asked of a client that is not connected. [2STEP]"""
    onprem_verify_wrong_code: Literal[1009, 1005] = 1009
    """What `POST /v1/account/verify` answers to a wrong code. [ACCOUNT]"""
    no_code_asked_code: Literal[1000, 1005, 1009] = 1000
    """What it answers where no code was asked for. [ACCOUNT]"""
    onprem_pin_missing_code: Literal[1005, 1008, 1009] = 1005
    """What `POST /v1/account` answers where two-step is on and the PIN is missing or wrong. [ACCOUNT]"""
    certificate_code: Literal[432, 430, 1009, 1005] = 432
    """What it answers to a certificate of another number or of an earlier display name; the errors page has titles
    for it (430, 432) and no call that they belong to. [OPERR]"""
    garbled_certificate_code: Literal[433, 430, 1009] = 433
    """What it answers to what is no certificate. [OPERR]"""
    expired_certificate_code: Literal[1005, 1031, 430, 433] = 1005
    """What `account/shards` answers as an expired certificate gets the number banned (which is documented). [SHARDS]"""
    logged_off_code: Literal[1000, 1005, 432] = 1000
    """The code beside "client setup logged off", its documented words about a wrong certificate. [SHARDS]"""
    shards_busy_code: Literal[1011, 1015] = 1011
    """The code of its documented 403, "temporarily unavailable". [SHARDS]"""
    account_while_on_cloud: Taken = "accepted"
    """Whether, before the sunset, `account` begins to take a number back that is still on Cloud. [BACKWARD]"""
    account_on_cloud_code: Literal[1005, 1004] = 1005
    """The code where it does not. [BACKWARD]"""
    banned_client_code: Literal[1031, 1005] = 1031
    """With which code the client of a banned number refuses messages, `account` and `account/verify`. [OPERR]"""
    health_when_banned: Literal["disconnected", "unregistered"] = "disconnected"
    """How the client of a banned number shows itself. [HEALTH]"""
    health_coreapp_down: Literal["1014", "disconnected"] = "1014"
    """What health answers with a dead Coreapp: the refusal of all that needs one, or a status. [HEALTH]"""
    messages_while_disconnected: Literal["refused", "queued"] = "refused"
    """What a registered client that is not connected does with a message: refuse it, or keep it until it is. What it
    took before it went down it keeps: 408 stands for what waited for more than a day. [OPERR]"""
    message_refused_code: Literal[1011, 1014] = 1011
    """The code of a message to a client that cannot send it. [OPERR]"""
    first_login_code: Literal[1024, 1005] = 1024
    """What a login with the shipped password and no new one gets; an error is documented, its code is not. [LOGIN]"""
    logout_ends: Literal["this", "all", "none"] = "this"
    """Which tokens die at a logout: the one it was called with, all of its user's, or none. [LOGIN]"""
    onprem_http_status: Literal["by_code", "all_400"] = "by_code"
    """Whether a client's refusals have a status after their code, or 400 but for 401, 404 and those that pages give;
    no page has a table of them. [OPERR]"""
    non_admin_status: Literal[403, 401] = 403
    """The HTTP status of 1005 for a user who is no admin. [HEALTH]"""
    old_login_tokens: Literal["live", "die"] = "live"
    """Whether a user's earlier tokens still work after another login. [HEALTH]"""
    client_start_s: float = 0
    """Seconds for which a client that was started is `uninitialized`. [HEALTH]"""
    client_connect_s: float = 0
    """Seconds for which it is `connecting` after that, or after it was registered. [HEALTH]"""
    overload_at: int = 100_000
    """Callbacks in the queue from which on a client answers 1016; the figure is one partner's report. [FIELD]"""
    meta_version: Literal["v", "plain"] = "plain"
    """Whether `meta.version` begins with a v; both were seen. [FIELD]"""

    # -- webhooks
    webhook_delay_s: float = 0
    """Seconds that every webhook waits before it is sent. [HOOKS]"""
    webhook_jitter_s: float = 0
    """Up to so many seconds more for each, which also puts them out of order. [HOOKS]"""
    webhook_batch_s: float = 0
    """Updates of this many seconds go out together, up to 1,000 a POST. 0: one update a POST. [ENDPOINT]"""
    webhook_duplicates: float = 0
    """The share of updates that come twice, from 0 to 1. [HOOKS]"""
    webhook_retries: Literal["7d", "36h"] = "7d"
    """For how long a webhook that is not taken is sent again; Meta's pages disagree. [ENDPOINT]"""
    webhook_first_gap_s: float = 5
    """Seconds until Cloud sends a webhook again; doubled each time (documented: with decreasing frequency). [HOOKS]"""
    webhook_longest_gap_s: float = 6 * 3600
    """The longest of those gaps. [HOOKS]"""
    webhook_patience_s: float = 10
    """Seconds that a receiver has for its answer. [ENDPOINT]"""
    webhook_handshake: YesNo = "yes"
    """Whether a new address is asked to verify itself (documented as yes), or taken as it is. [ENDPOINT]"""
    handshake_refused_code: Literal[2200, 100] = 2200
    """What setting an address answers when that fails. [FIELD]"""
    consumers_read: YesNo = "yes"
    """Whether the consumers' phones say that a message was read. [none]"""

    # -- Cloud
    message_limits: Literal["on", "off"] = "on"
    """Whether the pair rate (131056) and the throughput (130429) are kept, as documented. [LIMITS]"""
    management_limit_code: Literal[80008, 80007, 4] = 80008
    """The code of too many management calls; the pages name all three. [ERR]"""
    throttled_call_s: float = 60
    """Seconds that each call made while throttled adds to the wait; that it does is documented. [LIMITS]"""
    missing_scope_code: Literal[200, 10] = 200
    """The code for a token that lacks a permission; both are named for it. [ERR]"""
    storage_set_by: Literal["both", "settings", "register"] = "both"
    """What sets local storage; Meta's pages disagree. `settings`: `register` ignores its region. [STORAGE]"""
    health_unregistered: Literal[133010, "no_code"] = 133010
    """Which error `health_status` shows for a number that is not on Cloud; BLOCKED it is. [STATUS]"""
    storage_while_on_premises: Taken = "accepted"
    """Whether local storage can be set while the number is on On-Premises. [STORAGE]"""
    management_limits: Literal["on", "off"] = "on"
    """Whether 200 or 5,000 management calls an hour and WABA are the limit (documented), then 80008. [LIMITS]"""
    to_without_plus: Literal["as_it_is", "country_added"] = "as_it_is"
    """Whether a recipient without + gets the sender's country code in front: documented, and `from` of webhooks has
    no + either. [PHONES]"""
    unknown_version: Literal["newest", "refused"] = "newest"
    """What serves a version that is newer than any: the newest there is, or nothing (2500). [VERSIONS]"""
    numbers_sort: Literal["accepted", "ignored", "refused"] = "accepted"
    """What becomes of `sort` on a list of numbers; the page and the OpenAPI file spell it differently. [PHONES]"""
    text_outside_window: Literal["async", "sync"] = "async"
    """Whether 131047 comes as a failed status later or at once. [ERR]"""
    blocked_account: Literal["sync", "async"] = "sync"
    """Whether a send of an account with a payment problem (131042) or a lock (131031) fails at once or later. [ERR]"""
    noise: Literal["off", "on"] = "off"
    """Whether errors vary as seen (`error_data` as text, other languages), and all answers have more keys. [FIELD]"""
    http_status: Literal["documented", "all_400"] = "documented"
    """Whether errors carry the HTTP status of the old table, or 400 as most field reports show. [FIELD]"""


TYPES: Mapping[str, Any] = get_type_hints(Switches)


# Of the switches that take a number: those that are a share. The rest end where a count of seconds still is a date.
SHARES = frozenset({"webhook_duplicates"})
LARGEST = 1_000_000_000


class BadSwitch(ValueError):
    """A switch that does not exist, or a value it does not have."""


def with_values(switches: Switches, values: Mapping[str, Any]) -> Switches:
    """The same switches with some set. Text is read as the switch's own type. Raises BadSwitch."""
    return replace(switches, **{name: _read(name, value) for name, value in values.items()})


def names() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Switches))


def questions() -> dict[str, tuple[str, str, str]]:
    """Name to (section, text, key of the page), from the source: docstrings of fields are kept nowhere else."""
    source = Path(__file__).read_text(encoding="utf-8")
    lines = source.splitlines()
    body = next(one for one in ast.parse(source).body if isinstance(one, ast.ClassDef) and one.name == "Switches").body
    found: dict[str, tuple[str, str, str]] = {}
    for field, said in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, ast.Expr):
            text = " ".join(str(ast.literal_eval(said.value)).split())
            question, _, key = text.removesuffix("]").rpartition(" [")
            found[field.target.id] = (_section(lines, field.lineno), question, key)
    return found


def _section(lines: list[str], before: int) -> str:
    return next(line.strip()[5:] for line in reversed(lines[:before]) if line.strip().startswith("# -- "))


def values_of(name: str) -> tuple[str, ...]:
    """What a switch may be set to, as text; empty where it takes any number from 0 on."""
    kind = TYPES[name]
    return (
        tuple(str(one) for one in get_args(kind))
        if get_origin(kind) is Literal
        else ("true", "false")
        if kind is bool
        else ()
    )


def number_of(name: str) -> str:
    """What a switch without values takes, in words."""
    if TYPES[name] is int:
        return "a whole number from 0 on"
    return "a number from 0 to 1" if name in SHARES else "a number from 0 on"


def _read(name: str, value: Any) -> Any:
    kind = TYPES.get(name)
    if kind is None:
        raise BadSwitch(f"no switch is called {name!r}; there are: {', '.join(names())}")
    if get_origin(kind) is Literal:
        return _one_of(name, value, get_args(kind))
    if kind is bool:
        return _boolean(name, value)
    most = 1 if name in SHARES else LARGEST
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not 0 <= number <= most:
        raise BadSwitch(f"switch {name} takes a number from 0 to {most}, not {value!r}")
    return int(number) if kind is int else number


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    # YAML reads a bare yes or no as a truth value.
    text = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
    for one in allowed:
        if str(one) == str(text):
            return one
    raise BadSwitch(f"switch {name} takes {' or '.join(str(one) for one in allowed)}, not {value!r}")


def _boolean(name: str, value: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return known[str(value).lower()]
    except KeyError:
        raise BadSwitch(f"switch {name} takes true or false, not {value!r}") from None
