"""The kinds of numbers in a fleet, as data. A scenario may change any part of a kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class NumberSpec:
    """One number as a scenario describes it."""

    kind: str = "healthy"
    platform: Literal["ON_PREMISE", "CLOUD_API", "NOT_APPLICABLE"] = "ON_PREMISE"
    client: Literal["running", "stopped", "gone", "coreapp_down", "uninitialized", "expired", "none"] = "running"
    verified: bool = False
    pin: Literal["known", "unknown", "wrong", "none"] = "known"
    """none: two-step is off. wrong: the partner has a PIN on file that was changed since."""
    backup: Literal["works", "fails"] = "works"
    callbacks: Literal["empty", "some", "stuck", "overloaded"] = "empty"
    client_version: str = "2.53.3"
    """Before 2.45 `account/shards` needs no certificate; before 2.43 contacts have to be looked up."""
    registered_days_ago: int = 365
    """Days since its client was registered. After 7 days a change of shards disconnects it."""
    spare_client: bool = False
    """A second, clean client for the same number. The client that registers last serves the number."""
    locked: bool = False
    """Meta has locked the account: it is connected, but may not send."""
    unfinished: Literal["nothing", "deregistration"] = "nothing"
    """deregistration: an earlier one did not finish; `register` answers 133000 until it is deregistered again."""
    code_method: Literal["sms", "voice"] = "sms"
    """voice: a landline, which receives no SMS."""
    code_while_on_premises: Literal["accepted", "refused", "as_switch"] = "as_switch"
    voice_answered_by: Literal["person", "ivr"] = "person"
    """ivr: a machine answers calls, and only a code sent by the method IVR arrives."""
    wrong_number: bool = False
    """Codes go to another phone."""
    code_copies: int = 1
    """How often the message with a code arrives."""
    lost_codes: int = 0
    """The number of first codes that get lost."""
    stop_command: Literal["works", "fails"] = "works"
    signed_up_days_ago: int | None = None
    """Days since Embedded Signup; None: the number did not come through it."""
    on_business_app: bool = False
    official: bool = False
    banned: bool = False
    deleted: bool = False
    tos_missing: bool = False
    first_login: bool = False
    """The client still has its shipped password."""
    firewall: bool = False
    """The client runs and serves, but a firewall blocks its API: no response, which proves nothing."""
    topology: Literal["single", "ha", "multiconnect"] = "single"
    shards: int = 1
    senders: Literal["obey", "ignore", "veto", "drain"] = "obey"
    sender_queue: Literal["drops", "keeps", "repeats"] = "drops"
    """What senders do with a message that a dead side did not accept: drop it, keep it for later, or keep it and also
    send again the last messages before the gap, for which they got no status."""
    profile: bool = True
    status: Literal["as_it_is", "MIGRATED", "RESTRICTED", "RATE_LIMITED", "FLAGGED"] = "as_it_is"
    """What Graph shows instead of CONNECTED. Only a FLAGGED number can still send."""
    name_status: Literal["APPROVED", "AVAILABLE_WITHOUT_REVIEW", "DECLINED", "EXPIRED", "PENDING_REVIEW", "NONE"] = (
        "APPROVED"
    )
    quality: Literal["GREEN", "YELLOW", "RED", "NA", "UNKNOWN"] = "GREEN"
    health_problem: int | None = None
    business: str = ""
    """The name of its business; empty: the first business."""


_HEALTHY = NumberSpec()
_DARK = replace(_HEALTHY, kind="dark", platform="NOT_APPLICABLE", client="none", profile=False)

KINDS: Mapping[str, NumberSpec] = {
    spec.kind: spec
    for spec in (
        _HEALTHY,
        replace(_HEALTHY, kind="business_app", client="none", on_business_app=True, pin="none", profile=False),
        replace(_DARK, kind="new", signed_up_days_ago=3, verified=True, pin="none"),
        replace(_HEALTHY, kind="on_cloud", platform="CLOUD_API", client="none", verified=True),
        replace(_HEALTHY, kind="host_gone", client="gone"),
        replace(_HEALTHY, kind="stopped", client="stopped"),
        replace(_HEALTHY, kind="expired", client="expired"),
        _DARK,
        replace(_HEALTHY, kind="banned", banned=True),
        replace(_HEALTHY, kind="deleted", deleted=True),
        replace(_HEALTHY, kind="callbacks_stuck", callbacks="stuck"),
        replace(_HEALTHY, kind="pin_unknown", pin="unknown"),
        replace(_HEALTHY, kind="pin_wrong", pin="wrong"),
        replace(_HEALTHY, kind="verified", verified=True),
        replace(_HEALTHY, kind="landline", code_method="voice"),
        replace(_HEALTHY, kind="no_backup", backup="fails"),
        replace(_HEALTHY, kind="code_refused", backup="fails", code_while_on_premises="refused"),
        replace(_HEALTHY, kind="first_code_lost", backup="fails", lost_codes=1),
        replace(_HEALTHY, kind="stop_fails", stop_command="fails"),
        replace(_HEALTHY, kind="coreapp_down", client="coreapp_down"),
        replace(_HEALTHY, kind="first_login", first_login=True),
        replace(_HEALTHY, kind="high_availability", topology="ha"),
        replace(_HEALTHY, kind="multiconnect", topology="multiconnect", shards=2),
        replace(_HEALTHY, kind="official", official=True),
        replace(_HEALTHY, kind="tos_missing", tos_missing=True),
        replace(_HEALTHY, kind="payment_problem", health_problem=141006),
    )
}

# The kinds of a fleet when none are given, by world.
DEFAULT_KINDS: Mapping[str, tuple[str, ...]] = {
    "open": ("healthy",),
    "closing": ("healthy",),
    "after-sunset": ("expired", "host_gone", "dark"),
}

# Bounds of whole numbers, where they are not 0 and LARGEST. Days have to be valid dates.
LEAST: Mapping[str, int] = {"shards": 1, "code_copies": 1}
MOST: Mapping[str, int] = {
    "shards": 32,
    "code_copies": 10,
    "signed_up_days_ago": 36_500,
    "registered_days_ago": 36_500,
}
LARGEST = 100_000_000
VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}")
TYPES: Mapping[str, Any] = get_type_hints(NumberSpec)


class BadSpec(ValueError):
    """A kind, a part or a value that does not exist."""


def spec_of(row: Mapping[str, Any]) -> NumberSpec:
    """A kind with changes, as a scenario writes it. Raises BadSpec."""
    kind = str(row.get("kind", "healthy"))
    if kind not in KINDS:
        raise BadSpec(f"no kind is called {kind!r}; there are: {', '.join(KINDS)}")
    changes = {name: _value(name, value) for name, value in row.items() if name != "kind"}
    return replace(KINDS[kind], **changes)


def _value(name: str, value: Any) -> Any:
    if name not in {field.name for field in fields(NumberSpec)}:
        raise BadSpec(f"a number has no {name!r}")
    kind = TYPES[name]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise BadSpec(f"{name} is {' or '.join(map(str, get_args(kind)))}, not {value!r}")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise BadSpec(f"{name} is a text, not {value!r}")
        if name == "client_version" and not VERSION.fullmatch(value):
            raise BadSpec(f"{name} is a version such as 2.53.3, not {value!r}")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise BadSpec(f"{name} is true or false, not {value!r}")
        return value
    if value is None and type(None) in get_args(kind):
        return None
    least, most = LEAST.get(name, 0), MOST.get(name, LARGEST)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadSpec(f"{name} is a whole number from {least} to {most}, not {value!r}")
    return value
