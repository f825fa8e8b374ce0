"""What Meta's webhooks about accounts and numbers mean: one table. docs/webhooks.md has it in words.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update
Its neighbours there: account_alerts, account_review_update, phone_number_quality_update, phone_number_name_update,
security, messages/errors. An event that is not in the table is kept and has no effect.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from state.ledger.proofs import Meaning
from state.ledger.webhooks import ANSWERS, OF_NAMED_NUMBER
from state.proof import (
    ACCOUNT_ERRORS,
    AGAIN_AND_AGAIN,
    LIMITS,
    NUMBER_ERRORS,
    Report,
    Weight,
    at_time,
    keeps_from_crossing,
    limit_lowered,
)

FINE, TELL, DOUBT = Weight.FINE, Weight.TELL, Weight.DOUBT
Facts = Mapping[str, Any]
# True of every number of the account, also where Meta names one in `phone_number`; but for events of a number that
# is on the Business app too.
OF_ACCOUNT = frozenset(
    {"ban", "deleted", "restriction", "beginning", "violation", "review", "access", "payment", "locked"}
)
RESTRICTIONS = ("restriction", "beginning")


class ReportEffect(NamedTuple):
    """`changes_pin`: the PIN is another one. What no further number should cross for: `state.proof.KEEPING`."""

    topic: str
    weight: Weight
    changes_pin: bool = False


BEGINNING = "RESTRICTED_BIZ_INITIATED_MESSAGING"  # alone: a template that is paid for shows that it has ended
BANS: Mapping[str, Weight] = {"SCHEDULE_FOR_DISABLE": DOUBT, "DISABLE": DOUBT, "REINSTATE": FINE}
ACCOUNT: Mapping[str, ReportEffect] = {
    "DISABLED_UPDATE": ReportEffect("ban", DOUBT),
    "ACCOUNT_DELETED": ReportEffect("deleted", DOUBT),
    "ACCOUNT_RESTRICTION": ReportEffect("restriction", DOUBT),
    "ACCOUNT_VIOLATION": ReportEffect("violation", TELL),
    "ACCOUNT_OFFBOARDED": ReportEffect("access", DOUBT),
    "PARTNER_REMOVED": ReportEffect("access", DOUBT),
    "PARTNER_APP_UNINSTALLED": ReportEffect("access", DOUBT),
    "ACCOUNT_RECONNECTED": ReportEffect("access", FINE),
    "PARTNER_ADDED": ReportEffect("access", FINE),
    "PARTNER_APP_INSTALLED": ReportEffect("access", FINE),
}
REVIEWS: Mapping[str, ReportEffect] = {
    "REJECTED": ReportEffect("review", DOUBT),
    "DEFERRED": ReportEffect("review", TELL),
    "PENDING": ReportEffect("review", FINE),
    "APPROVED": ReportEffect("review", FINE),
}
QUALITY: Mapping[str, ReportEffect] = {
    "FLAGGED": ReportEffect("quality", TELL),
    "UNFLAGGED": ReportEffect("quality", FINE),
    "DOWNGRADE": ReportEffect("limit", DOUBT),
    "UPGRADE": ReportEffect("limit", FINE),
    "THROUGHPUT_UPGRADE": ReportEffect("throughput", FINE),
    "ONBOARDING": ReportEffect("throughput", FINE),
}
NAMES: Mapping[str, ReportEffect] = {
    "REJECTED": ReportEffect("name", TELL),
    "DEFERRED": ReportEffect("name", TELL),
    "PENDING": ReportEffect("name", FINE),
    "APPROVED": ReportEffect("name", FINE),
}
SECURITY: Mapping[str, ReportEffect] = {
    "PIN_CHANGED": ReportEffect("pin", TELL, changes_pin=True),
    # Its owner has turned two-step verification off.
    "PIN_REQUEST_SUCCESS": ReportEffect("pin", TELL, changes_pin=True),
    "PIN_RESET_REQUEST": ReportEffect("pin", TELL),
}
ALERTS: Mapping[str, ReportEffect] = {"PROFILE_PICTURE_LOST": ReportEffect("picture", DOUBT)}
ALERT_IS_OVER = frozenset({"RESOLVED", "INACTIVE", "NONE"})
# Account-level errors: the number cannot send, whatever it is sent. Meta's table of error codes. They come as errors
# of their own, or with a message of the partner's that has failed.
ERRORS: Mapping[int, str] = {**ACCOUNT_ERRORS, **NUMBER_ERRORS}
# The same as health shows them, and what else may stand there: a number that may not send for any other reason.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
IN_HEALTH: Mapping[int, str] = {141006: "payment", **ACCOUNT_ERRORS}


def read_meaning(field: str, kind: str, said: Facts, received: int) -> Meaning | None:
    """None for what has no effect. `received`: Unix time, where the webhook has none of its own."""
    has_failed = kind == "error" or (kind == "status" and said.get("status") == "failed")
    found = _error(said) if has_failed and field in ("messages", ANSWERS) else _READERS.get(field, _nothing)(said)
    if found is None:
        return None
    (topic, weight, changes_pin), word = found
    at = at_time(said.get("at"))
    seconds = int(at.timestamp()) if at is not None else received
    until = said.get("restriction_info.ends") if topic in RESTRICTIONS else None
    until = until if isinstance(until, int) else None
    if until is not None and until <= received:  # it came in late, or again
        weight = FINE
    of_account = topic in OF_ACCOUNT and not word.startswith(OF_NAMED_NUMBER)
    halts = keeps_from_crossing(topic, weight, word)
    report, once = Report(topic, seconds, word, weight, until), topic in AGAIN_AND_AGAIN
    return Meaning(report, halts, changes_pin, of_account, once)


def _nothing(_said: Facts) -> None:
    return None


def _error(said: Facts) -> tuple[ReportEffect, str] | None:
    code = said.get("code")
    topic = ERRORS.get(code) if isinstance(code, int) else None
    return (ReportEffect(topic, DOUBT), str(code)) if topic is not None else None


def _health(said: Facts) -> tuple[ReportEffect, str] | None:
    code = said.get("code")
    topic = IN_HEALTH.get(code, "health") if isinstance(code, int) else "health"
    return ReportEffect(topic, DOUBT if said.get("health") == "BLOCKED" else TELL), " ".join(
        str(said[name]) for name in ("health", "code") if name in said
    )


def _account(said: Facts) -> tuple[ReportEffect, str] | None:
    event, ban = str(said.get("event", "")), str(said.get("ban_info.waba_ban_state", ""))
    if ban in BANS:
        return ReportEffect("ban", BANS[ban]), ban
    row = ACCOUNT.get(event)
    if row is None or (row.topic == "access" and said.get("other_partner")):
        return None
    if event == "ACCOUNT_RESTRICTION" and said.get("restriction_info.restriction_type") == BEGINNING:
        row = row._replace(topic="beginning")
    more = said.get("violation_info.violation_type") or said.get("restriction_info.restriction_type")
    return row, f"{event}: {more}" if more else event


def _quality(said: Facts) -> tuple[ReportEffect, str] | None:
    event = str(said.get("event", ""))
    row = QUALITY.get(event)
    # `current_limit` was to be removed in February 2026; the other name has the same words, but is a limit also where
    # `old_limit` is a level of throughput.
    new, old = said.get("current_limit") or said.get("max_daily_conversations_per_business"), said.get("old_limit")
    of_limits = said.get("current_limit") is not None or row is None or row.topic != "throughput"
    if of_limits and new in LIMITS and old in LIMITS and new != old:
        lower = limit_lowered(str(old), str(new)) is not None
        return ReportEffect("limit", DOUBT if lower else FINE), f"{old} to {new}"
    return (row, f"{event}: {new}" if new else event) if row is not None else None


def _alert(said: Facts) -> tuple[ReportEffect, str] | None:
    named = {name: said.get(f"alert_info.{name}", said.get(name)) for name in ("alert_type", "alert_status")}
    kind, over = str(named["alert_type"] or ""), named["alert_status"] in ALERT_IS_OVER
    severity = said.get("alert_info.alert_severity", said.get("alert_severity"))
    row = ALERTS.get(kind) or (ReportEffect("alert", TELL) if severity == "CRITICAL" else None)
    if row is None:
        return None
    return (ReportEffect(row.topic, FINE) if over else row), kind


def _by(name: str, table: Mapping[str, ReportEffect]) -> Callable[[Facts], tuple[ReportEffect, str] | None]:
    def read(said: Facts) -> tuple[ReportEffect, str] | None:
        word = str(said.get(name, ""))
        return (table[word], word) if word in table else None

    return read


_READERS: Mapping[str, Callable[[Facts], tuple[ReportEffect, str] | None]] = {
    "account_update": _account,
    "account_review_update": _by("decision", REVIEWS),
    "account_alerts": _alert,
    "phone_number_quality_update": _quality,
    "phone_number_name_update": _by("decision", NAMES),
    "security": _by("event", SECURITY),
    ANSWERS: _health,
}
