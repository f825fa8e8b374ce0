"""Whether somebody is at a number's phone, and how and when the next code may be asked for.

Meta documents no figure for any of the waits; hours to two days are reported where a number asked too often
(136024 with subcode 2388367), so all of them are ours, on the cautious side.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from state.enums import AttemptEnd, Codes
from state.rows import CodeRequestRow, CodeRow, Position

# "Typically 10 minutes", and good once (Meta's OpenAPI file, v23.0).
CODE_LIVES = timedelta(minutes=10)
# One that was typed in longer ago is not tried any more: it would only spend one of the tries that Meta allows.
CODE_TRIED_FOR = 2 * CODE_LIVES
COOL_DOWN = timedelta(seconds=60)
AFTER_TOO_MANY = timedelta(hours=24)
TOO_MANY = 2388367
MOST_A_DAY = 6  # requests of one number in a moving 24 h
DAY = timedelta(hours=24)
# How long somebody has to be there still when a number is paused or stopped for a code that comes only then.
BEFORE_DARK = timedelta(minutes=5)
# IVR: a call that a machine answers, as a telephone exchange does.
# https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status/request_code/
SMS, VOICE, IVR = "SMS", "VOICE", "IVR"
# Nothing was sent, so nothing cools down.
NOT_SENT = (AttemptEnd.NEVER_LEFT, AttemptEnd.NOT_DONE)


def somebody_is_ready(state: Position, now: datetime, ahead: timedelta = timedelta()) -> bool:
    """As `state.ledger.readiness.somebody_ready` says it in SQL, where an intent is committed."""
    if _said_so(state, now + ahead):
        return True
    in_slot = state.slot_from is not None and state.slot_until is not None and state.slot_from <= now
    return in_slot and state.slot_until is not None and state.slot_until >= now + ahead


def _said_so(state: Position, at: datetime) -> bool:
    """Somebody said that a person is there then: of the whole wave, or of this number; a slot is only booked."""
    return state.wave_codes == Codes.AT_ONCE or (state.ready_until is not None and state.ready_until >= at)


def is_worth_a_try(code: CodeRow | None, now: datetime) -> bool:
    """Whether a code was typed in that may still be good."""
    return code is not None and now < code.entered_at + CODE_TRIED_FOR


def came_to_nothing(state: Position, requests: Iterable[CodeRequestRow], now: datetime) -> bool:
    """Only a slot says that somebody is there, and a code that was asked for in it has expired: nobody was."""
    if _said_so(state, now) or state.slot_from is None:
        return False
    return any(
        row.at >= state.slot_from and now >= row.at + CODE_LIVES for row in requests if row.ended not in NOT_SENT
    )


def next_look(state: Position, now: datetime) -> datetime:
    """When a number for which nobody is ready is looked at again: when its slot begins, else a day later."""
    return state.slot_from if state.slot_from is not None and state.slot_from > now else now + DAY


def is_landline(e164: str) -> bool:
    """Such a number takes no SMS. Where a country gives mobile and fixed numbers alike, it may."""
    import phonenumbers  # noqa: PLC0415  its tables cost every start, and whoever only reads the record needs none

    parsed = phonenumbers.parse(e164, None)
    return bool(phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.FIXED_LINE)


def next_method(state: Position, lost: str | None) -> str:
    """SMS or VOICE. `lost`: the method of the last code, where that code never came."""
    if state.next_code_method is not None:
        return state.next_code_method
    if is_landline(state.e164):
        return VOICE
    return other_method(state.e164, lost) if lost is not None else state.code_method


def other_method(e164: str, method: str) -> str:
    """What to try after a code that did not come by this one. A landline hears only calls."""
    return VOICE if method == SMS or is_landline(e164) else SMS


def cooling_until(requests: Iterable[CodeRequestRow], now: datetime) -> datetime | None:
    """Until when no code may be asked for, by all that was asked for this number before; None: now it may."""
    sent = [
        row for row in requests if row.ended not in NOT_SENT and (_too_many(row) or row.ended != AttemptEnd.REFUSED)
    ]
    waits = [row.at + (AFTER_TOO_MANY if _too_many(row) else COOL_DOWN) for row in sent]
    today = sorted(row.at for row in sent if row.at > now - DAY)
    if len(today) >= MOST_A_DAY:
        waits.append(today[-MOST_A_DAY] + DAY)
    return max((until for until in waits if until > now), default=None)


def calls_left(requests: Iterable[CodeRequestRow], now: datetime) -> int:
    """How many codes may still be asked for in this moving 24 h."""
    sent = [row for row in requests if row.ended not in NOT_SENT and row.at > now - DAY]
    return 0 if any(map(_too_many, sent)) else max(MOST_A_DAY - len(sent), 0)


def _too_many(row: CodeRequestRow) -> bool:
    return row.answer.get("subcode") == TOO_MANY
