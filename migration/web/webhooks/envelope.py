"""Reads the body of a Cloud webhook, whose signature is good: a fixed set of words, codes and times of each update.

Whatever is unknown is read as a change without facts; whatever is misplaced or of another type is passed over.
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
On-Premises: https://developers.facebook.com/docs/whatsapp/on-premises/webhooks, top-level arrays that name no number.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from state.ledger.webhooks import ON_PREMISES, WebhookUpdate
from state.phone_spelling import is_same_number
from state.proof import ACCOUNT_ERRORS, CORRELATION, ECHO, NUMBER_ERRORS, at_time, message_key, word_in

CLOUD = "whatsapp_business_account"
MESSAGES = "messages"
ROWS = (("status", "statuses"), ("message", "messages"), ("error", "errors"))
Fact = str | int | bool
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_ID = re.compile(r"[0-9]{1,30}")
_SMALL = re.compile(r"[0-9]{1,15}")
ERRORS_OF_NUMBERS = frozenset({*ACCOUNT_ERRORS, *NUMBER_ERRORS})
UNLIMITED = -1  # how Meta writes that a limit is none
MOST_CODE = 2**31  # what an INTEGER of PostgreSQL holds, and this one not
# What a change may say, and where: of numbers, WABAs and templates. Names, texts and people are not among them.
_WORDS = (
    "event",
    "decision",
    "rejection_reason",
    "current_limit",
    "old_limit",
    "max_daily_conversation_per_phone",
    "max_daily_conversations_per_business",
    "max_phone_numbers_per_business",
    "max_phone_numbers_per_waba",
    "message_template_id",
    "reason",
    "previous_quality_score",
    "new_quality_score",
    "alert_severity",
    "alert_status",
    "alert_type",
)
_WORDS_BELOW = {
    "ban_info": ("waba_ban_state", "waba_ban_date"),
    "violation_info": ("violation_type",),
    "disconnection_info": ("reason", "initiated_by"),
    "alert_info": ("alert_severity", "alert_status", "alert_type"),
    "restriction_info": ("restriction_type", "expiration"),
}


class Unreadable(ValueError):
    """The body is no JSON object in UTF-8."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose signature the body has. `number`: the phone number id that the address names, for On-Premises clients."""

    profile: str
    app_id: str
    number: str | None = None


def read_envelope(body: bytes, sender: Sender) -> tuple[WebhookUpdate, ...]:
    """Every update of every change of every entry; none of an object of another kind. Raises Unreadable."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
        if not isinstance(value, dict):
            raise Unreadable
        if value.get("object") == CLOUD:
            return tuple(_updates(value, sender))
        return () if "object" in value else tuple(_Change(sender, {}, {"field": ON_PREMISES, "value": value}).updates())
    except (ValueError, RecursionError):  # also what is no UTF-8, and a number of thousands of digits
        raise Unreadable("the body is no JSON object in UTF-8") from None


def _refuse(constant: str) -> None:
    raise Unreadable(constant)  # NaN and Infinity are no JSON


def _updates(envelope: Mapping[str, Any], sender: Sender) -> Iterator[WebhookUpdate]:
    for entry in _objects(envelope.get("entry")):
        for change in _objects(entry.get("changes")):
            yield from _Change(sender, entry, change).updates()


class _Change:
    """One change of one entry."""

    def __init__(self, sender: Sender, entry: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        self._sender, self._entry, self._change = sender, entry, change
        self._value = _object(change.get("value"))
        place = {**self._value, **_object(self._value.get("metadata"))}
        field = change.get("field", self._value.get("field"))  # some samples of Meta have it one level deeper
        self._field = field if isinstance(field, str) and _WORD.fullmatch(field) else "unknown"
        if self._field == "unknown" and "phone_number_id" in place and any(rows in place for _, rows in ROWS):
            self._field = MESSAGES
        self._on_premises = self._field == ON_PREMISES
        self._phone_number_id = _id(sender.number) if self._on_premises else _id(place.get("phone_number_id"))
        if self._phone_number_id is None and self._value.get("entity_type") == "PHONE_NUMBER":
            self._phone_number_id = _id(self._value.get("entity_id"))
        self._phone = _phone(place.get("display_phone_number")) or _phone(place.get("phone_number"))
        # An event about partners has the business's own id in its entry.
        info = _object(self._value.get("waba_info"))
        self._waba_id = _id(info.get("waba_id")) or _id(entry.get("id")) or ""
        self._partner_app = _id(info.get("partner_app_id"))

    def updates(self) -> Iterator[WebhookUpdate]:
        found = False
        if self._field in (MESSAGES, ON_PREMISES):
            for kind, rows in ROWS:
                for row in _objects(self._value.get(rows)):
                    found = True
                    yield self._of_message(kind, row)
        if not found and not self._on_premises:
            yield self._update("change", None, self._facts(), self._digest(self._change))

    def _facts(self) -> dict[str, Fact]:
        """Of a change: the words in it, and when Meta says that it happened."""
        facts = dict(_words(self._value))
        at = _number(self._entry.get("time"))
        if at is not None:
            facts["at"] = at
        if self._partner_app not in (None, self._sender.app_id):
            facts["other_partner"] = True  # an event about somebody else's app on the same WABA
        return facts

    def _of_message(self, kind: str, row: Mapping[str, Any]) -> WebhookUpdate:
        given = row.get("id")
        message = message_key(given) if isinstance(given, str) else None
        codes = [code for error in _objects(row.get("errors")) if (code := _code(error.get("code"))) is not None]
        # The one of several that concerns more than this message.
        code = next((one for one in codes if one in ERRORS_OF_NUMBERS), codes[0] if codes else _code(row.get("code")))
        facts = {
            "status": _word(row.get("status")),
            "type": self._type(row) if kind == "message" else None,
            "at": _number(row.get("timestamp") if kind != "error" else self._entry.get("time")),
            "code": code,
            "word": _word_of_ours(row) if kind == "message" else None,
            "paid": _is_paid(row.get("pricing")) or None,
        }
        known = {name: fact for name, fact in facts.items() if fact is not None}
        opaque = row.get("biz_opaque_callback_data")
        ours = opaque if kind == "status" and isinstance(opaque, str) and CORRELATION.fullmatch(opaque) else None
        return self._update(kind, message, known, "" if message is not None else self._digest(row), ours)

    def _type(self, row: Mapping[str, Any]) -> Fact | None:
        """ECHO: the number itself wrote it, as on its phone, and no consumer did."""
        given = _phone(row.get("from"))
        own = self._phone is not None and given is not None and is_same_number(self._phone, given)
        return ECHO if own else _word(row.get("type"))

    def _update(
        self, kind: str, message: str | None, facts: Mapping[str, Fact], digest: str, correlation: str | None = None
    ) -> WebhookUpdate:
        return WebhookUpdate(
            self._sender.profile,
            self._sender.app_id,
            self._waba_id,
            self._phone_number_id,
            self._phone,
            self._field,
            kind,
            message,
            facts,
            digest,
            correlation,
        )

    def _digest(self, part: Mapping[str, Any]) -> str:
        """Of a part without an id of its own: a copy has the same time, and a later one that says the same has not."""
        text = json.dumps([self._entry.get("time"), part], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _word_of_ours(row: Mapping[str, Any]) -> str | None:
    """The text, where it is nothing but a word that we ask people to send; no other text is kept."""
    body = _object(row.get("text")).get("body")
    return word_in(body) if isinstance(body, str) and len(body) < 100 else None


def _is_paid(pricing: Any) -> bool:
    """It was not free. `sent` and one of `delivered` and `read` have `pricing`; of its fields `billable` is to go.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
    """
    given = _object(pricing)
    return given.get("type") == "regular" or ("type" not in given and given.get("billable") is True)


def _words(value: Mapping[str, Any]) -> Iterator[tuple[str, Fact]]:
    for name in _WORDS:
        word = _word(_only(value.get(name)))
        if word is not None:
            yield name, word
    for part, names in _WORDS_BELOW.items():
        given = value.get(part)
        rows = list(_objects(given if isinstance(given, list) else [given]))
        for name in names:
            words = [word for word in (_word(_only(inner.get(name))) for inner in rows) if word is not None]
            if len(words) == 1:
                yield f"{part}.{name}", words[0]
            elif words:
                yield f"{part}.{name}", ",".join(sorted({str(word) for word in words}))[:200]
    ends = _end_of(value.get("restriction_info"))
    if ends is not None:
        yield "restriction_info.ends", ends


def _end_of(given: Any) -> int | None:
    """Unix time at which the last of these restrictions ends; None where one of them names no end."""
    rows = list(_objects(given if isinstance(given, list) else [given]))
    times = [at_time(_number(row.get("expiration"))) for row in rows]
    known = [int(time.timestamp()) for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def _only(value: Any) -> Any:
    """The one thing of a list of one: older samples of Meta have `"waba_ban_state": ["REINSTATE"]`."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(value: Any) -> str | None:
    """Digits, as text or as a number."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _ID.fullmatch(text) else None


def _phone(value: Any) -> str | None:
    """+ and digits, however it is written."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = "".join(sign for sign in text[:60] if sign in "0123456789")
    return f"+{digits}" if 6 <= len(digits) <= 19 else None


def _number(value: Any) -> int | None:
    """A whole number, as such or as text."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(text) if _SMALL.fullmatch(text) else None


def _code(value: Any) -> int | None:
    """An error code of Meta, as a column for one takes it: they have up to seven digits."""
    code = _number(value)
    return code if code is not None and code < MOST_CODE else None


def _word(value: Any) -> Fact | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value == UNLIMITED:
            return value
        number = _number(value)
        return number if number is not None else _id(value)  # ids of templates have up to 17 digits
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None
