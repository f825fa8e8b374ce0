"""What proves that a moved number works, and what speaks against it. Pure functions over what is on record.

Each value is the later or the greater of two, so order, copies and batches of the same webhooks make no difference.
"""

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from state.enums import Side, SmokeMode, Status

CORRELATION = re.compile(r"smoke-[0-9a-f]{16}")
WORD = re.compile(r"MOVE[0-9]{6}")
# States of a smoke message, the later ones over the earlier: a webhook may come late, and never takes one back.
STATES = ("intended", "unknown", "accepted", "sent", "failed", "delivered", "read")
ARRIVED = ("delivered", "read", "played")  # statuses of Meta
# Inbound messages of these types are made by WhatsApp, or cannot be read: no consumer's message has come through.
ECHO = "echo"  # our word for a message that the number itself has written
NO_MESSAGE = frozenset({ECHO, "system", "unsupported", "unknown", "request_welcome", "errors"})
SENDING = (SmokeMode.OUTBOUND, SmokeMode.ROUND_TRIP)  # modes in which a message is sent
# Reports of a number that a message of ours ends, which was delivered after them.
MENDED_BY_SENDING = ("registration", "health")
MAY_BE_MENDED = (*MENDED_BY_SENDING, "picture")  # a profile that was read since ends the last
NOT_TO_CLOUD = ("BACK_TO_ONPREM", "ABORT")
PASSIVE_HOURS = 24
# Errors with which Cloud refuses every message of an account, and those of a number that is not registered there.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
ACCOUNT_ERRORS: Mapping[int, str] = {131042: "payment", 131031: "locked", 368: "locked"}
NUMBER_ERRORS: Mapping[int, str] = {131045: "registration", 133010: "registration"}
# While one of these stands against an account, no number of it should cross: in no wave, and in one that begins later.
KEEPING = frozenset({"ban", "deleted", "restriction", "beginning", "access", "review", *ACCOUNT_ERRORS.values()})
RESTRICTING = ("ban", "restriction", "beginning", "review")  # of them: for what calls of an account are refused
# Each message that fails reports them anew: whoever has let numbers cross all the same has done so for the next ones.
AGAIN_AND_AGAIN = frozenset(ACCOUNT_ERRORS.values())
ACCOUNT_REPORTED = "Meta reports of its account"  # so begins why a number in no wave is held for it
QUALITY_TOO = "368"  # the error of a locked account, which a number whose quality is low gets too


LIMITS = ("TIER_NOT_SET", "TIER_50", "TIER_250", "TIER_1K", "TIER_2K", "TIER_10K", "TIER_100K", "TIER_UNLIMITED")


class Weight(IntEnum):
    """How much a report says against a number."""

    FINE = 0
    TELL = 1  # people should know of it
    DOUBT = 2  # while it stands, the number counts as not proved


class Proof(StrEnum):
    """What is known of a moved number, beside being registered."""

    NOT_PROVED = "not proved"
    SENDS = "sends"
    RECEIVES = "receives"
    IN_SERVICE = "in service"  # a message went each way


@dataclass(frozen=True, slots=True)
class Report:
    """What Meta says of one `topic`; a later one takes its place. `at`: Unix time, by Meta's clock.

    `until`: Unix time at which it ends by itself, where Meta says so.
    """

    topic: str
    at: int
    word: str
    weight: Weight
    until: int | None = None

    def as_row(self) -> dict[str, Any]:
        """As it is kept, by its topic."""
        row = {"at": self.at, "weight": int(self.weight), "word": self.word}
        return row | ({"until": self.until} if self.until is not None else {})

    def over(self, known: Mapping[str, Any] | None) -> dict[str, Any]:
        """All reports, with this one where it is the latest of its topic; of two of one second the worse one."""
        reports, mine = dict(known or {}), self.as_row()
        before = reports.get(self.topic)
        if before is None or _order(before) < _order(mine):
            reports[self.topic] = mine
        return dict(sorted(reports.items()))


def _order(report: Mapping[str, Any]) -> tuple[int, int, str, float]:
    return report["at"], report["weight"], report["word"], report.get("until", math.inf)


def without_ended(known: Mapping[str, Any] | None, now: datetime) -> Mapping[str, Any] | None:
    """The reports, where those whose end has passed say nothing against anybody any more.

    Its time stays the one of the report: another restriction that Meta has told of since, and that comes in later, is
    the newer one.
    """
    over = [topic for topic, report in _readable(known) if _has_ended(report, now)]
    return {**(known or {}), **{topic: {**(known or {})[topic], "weight": int(Weight.FINE)} for topic in over}} or known


def until_text(report: Mapping[str, Any]) -> str:
    """`, until 2026-12-01 00:00 UTC` of a report that ends by itself; else nothing."""
    until = at_time(report.get("until"))
    return f", until {until:%Y-%m-%d %H:%M} UTC" if until is not None else ""


def _has_ended(report: Mapping[str, Any], now: datetime) -> bool:
    until = report.get("until")
    return isinstance(until, int) and report["weight"] > Weight.FINE and until <= now.timestamp()


class Provable(Protocol):
    """What a position of either kind has of this."""

    @property
    def migration_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def status(self) -> Status: ...
    @property
    def itinerary(self) -> str: ...
    @property
    def canary(self) -> bool: ...
    @property
    def crossed_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def smoke(self) -> str | None: ...
    @property
    def wave_smoke(self) -> str | None: ...
    @property
    def wave_smoke_canary(self) -> str | None: ...
    @property
    def smoke_hours(self) -> int | None: ...
    @property
    def smoke_state(self) -> str | None: ...
    @property
    def smoke_error(self) -> int | None: ...
    @property
    def sends_at(self) -> datetime | None: ...
    @property
    def receives_at(self) -> datetime | None: ...
    @property
    def word_at(self) -> datetime | None: ...
    @property
    def profile_read_at(self) -> datetime | None: ...
    @property
    def profile_lost(self) -> str | None: ...
    @property
    def limit_lowered(self) -> str | None: ...
    @property
    def foreign_waba(self) -> str | None: ...
    @property
    def reported(self) -> Mapping[str, Any] | None: ...
    @property
    def waba_reported(self) -> Mapping[str, Any] | None: ...


def mode_of(position: Provable) -> SmokeMode:
    """The number's own, or its wave's; numbers in no wave send a message."""
    of_wave = position.wave_smoke_canary if position.canary and position.wave_smoke_canary else position.wave_smoke
    return SmokeMode(position.smoke or of_wave or SmokeMode.OUTBOUND)


def is_moved(position: Provable) -> bool:
    """It is on Cloud by a move of ours, which has come to its end."""
    done = position.status is Status.DONE and position.side is Side.CLOUD
    return done and position.itinerary not in NOT_TO_CLOUD


def reports_of(position: Provable, least: Weight = Weight.TELL) -> list[tuple[str, Mapping[str, Any]]]:
    """Topic and report, of the number and its WABA, that say something against it; the worst first."""
    if position.reported is None and position.waba_reported is None:  # of nearly all numbers of a long list
        return []
    both = [*_readable(position.waba_reported), *_readable(position.reported)]
    heavy = [(topic, report) for topic, report in both if report["weight"] >= least]
    against = [(topic, report) for topic, report in heavy if not _is_mended(position, topic, report)]
    return sorted(against, key=lambda one: (-one[1]["weight"], one[0]))


def restricted_until(reported: Mapping[str, Any] | None) -> float | None:
    """Unix time at which the last restriction, ban or refused review that is known of an account has ended or ends.

    None where none is known to have an end. A ban ends, and a review is passed, when Meta says so.
    """
    ends = [
        report["until"] if isinstance(report.get("until"), int) else report["at"]
        for topic, report in _readable(reported)
        if topic in RESTRICTING and (isinstance(report.get("until"), int) or report["weight"] <= Weight.FINE)
    ]
    return max(ends, default=None)


def keeps_from_crossing(topic: str, weight: int, word: str) -> bool:
    """Whether a report of an account says that no number of it should cross."""
    return topic in KEEPING and weight >= Weight.DOUBT and word != QUALITY_TOO


def kept_by_reports(
    position: Provable, now: datetime, decided: datetime | None = None
) -> tuple[str, Mapping[str, Any]] | None:
    """As `account_keeps`, of a number: what is reported of itself, as that it was taken away, keeps it too."""
    return account_keeps(position.waba_reported, now, decided) or account_keeps(position.reported, now, decided)


def why_kept(topic: str, report: Mapping[str, Any]) -> str:
    """What `kept_by_reports` has found, in words."""
    return f"{ACCOUNT_REPORTED}: {topic} ({report['word']}{until_text(report)})"


def account_keeps(
    reported: Mapping[str, Any] | None, now: datetime, decided: datetime | None = None
) -> tuple[str, Mapping[str, Any]] | None:
    """Topic and report of an account that stands, has not ended by itself, and keeps its numbers from crossing.

    `decided`: when a person last let them cross all the same. What was reported before it keeps nobody.
    """
    if not isinstance(reported, Mapping):
        return None
    for topic, report in _readable(without_ended(reported, now)):
        known = decided is not None and (topic in AGAIN_AND_AGAIN or report["at"] <= decided.timestamp())
        if keeps_from_crossing(topic, report["weight"], str(report["word"])) and not known:
            return topic, report
    return None


def _readable(reported: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What somebody has changed by hand in the database may be anything; it ends no list of the fleet."""
    for topic, report in reported.items() if isinstance(reported, Mapping) else ():
        parts = (report.get("weight"), report.get("at"), report.get("word")) if isinstance(report, Mapping) else ()
        if len(parts) == 3 and isinstance(parts[0], int) and isinstance(parts[1], int | float):
            yield topic, report


def _is_mended(position: Provable, topic: str, report: Mapping[str, Any]) -> bool:
    """The profile was compared with what it was after the report, and its picture was there; or it has sent since."""
    if topic in MENDED_BY_SENDING:
        return sends(position) and position.sends_at is not None and position.sends_at.timestamp() > report["at"]
    read = position.profile_read_at
    return topic == "picture" and read is not None and read.timestamp() >= report["at"]


def limit_lowered(before: str | None, after: str | None) -> str | None:
    """`TIER_10K to TIER_250`; None where it is not lower, or one of them is not known."""
    if before not in LIMITS or after not in LIMITS or LIMITS.index(after) >= LIMITS.index(before):
        return None
    return f"{before} to {after}"


def receives(position: Provable) -> bool:
    """A consumer's message came in after it had crossed; Meta's times are whole seconds."""
    return _since_crossing(position, position.receives_at)


def word_came(position: Provable) -> bool:
    return _since_crossing(position, position.word_at)


def _since_crossing(position: Provable, at: datetime | None) -> bool:
    crossed = position.crossed_at
    return at is not None and (crossed is None or at >= crossed.replace(microsecond=0))


def sends(position: Provable) -> bool:
    """A message was delivered, and none that was sent later has failed."""
    return position.sends_at is not None and position.smoke_error is None


def is_doubted(position: Provable) -> bool:
    """Something says that the number does not work as it did, whatever messages have shown."""
    found = (position.foreign_waba, position.profile_lost, position.limit_lowered)
    return any(one is not None for one in found) or bool(reports_of(position, Weight.DOUBT))


def proof_of(position: Provable) -> Proof:
    if is_doubted(position) or (position.smoke_error is not None and not sends(position)):
        return Proof.NOT_PROVED
    match sends(position), receives(position):
        case True, True:
            return Proof.IN_SERVICE
        case True, False:
            return Proof.SENDS
        case False, True:
            return Proof.RECEIVES
        case _:
            return Proof.NOT_PROVED


def is_proved(position: Provable) -> bool:
    """Its messages have shown what its mode asks for, and nothing speaks against it."""
    proof = proof_of(position)
    match mode_of(position):
        case SmokeMode.OUTBOUND:
            return proof in (Proof.SENDS, Proof.IN_SERVICE)
        case SmokeMode.INBOUND | SmokeMode.PASSIVE:
            return proof in (Proof.RECEIVES, Proof.IN_SERVICE)
        case SmokeMode.ROUND_TRIP:
            return proof is Proof.IN_SERVICE and word_came(position)
        case _:
            return False


def not_proved(positions: Iterable[Provable]) -> list[Any]:
    """Those that were moved and are not proved."""
    return [position for position in positions if is_moved(position) and not is_proved(position)]


def silent_since(position: Provable, now: datetime) -> datetime | None:
    """When the time for its first inbound message ran out; None where it has come, is not over, or none was set."""
    hours = position.smoke_hours or (PASSIVE_HOURS if mode_of(position) is SmokeMode.PASSIVE else None)
    if hours is None or not is_moved(position) or receives(position) or position.crossed_at is None:
        return None
    end = position.crossed_at + timedelta(hours=hours)
    return end if now >= end else None


def word_for(phone_number_id: str, migration_id: int) -> str:
    """What a person is asked to send to the number, in its usual form."""
    digits = int(hashlib.sha256(f"{phone_number_id}:{migration_id}".encode()).hexdigest(), 16) % 1_000_000
    return f"MOVE{digits:06}"


def word_shown(phone_number_id: str, migration_id: int) -> str:
    word = word_for(phone_number_id, migration_id)
    return f"{word[:4]} {word[4:]}"


def word_in(text: str) -> str | None:
    """The word, where a text is nothing else, in whatever letters, digits and spaces it was typed."""
    kept = [sign for sign in text.upper() if sign.isalnum()]
    word = "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in kept)
    return word if WORD.fullmatch(word) else None


def message_key(wamid: str) -> str:
    """As which a message id of Meta is kept: it holds the other side's phone number."""
    return hashlib.sha256(wamid.encode("utf-8", "replace")).hexdigest()


def at_time(seconds: Any) -> datetime | None:
    """A time of Meta: Unix seconds, in some fields milliseconds. None where it is none."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        return None
    seconds = seconds // 1000 if seconds > 10**11 else seconds
    return datetime.fromtimestamp(seconds, UTC) if seconds < 10**11 else None
