"""The sentences about whether a moved number is only registered, or has shown that it works; and why not.

Pure functions: `now` is the database's time, aware, in UTC.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from state.enums import Side, SmokeMode
from state.proof import (
    NOT_TO_CLOUD,
    PASSIVE_HOURS,
    SENDING,
    Proof,
    Weight,
    is_moved,
    is_proved,
    mode_of,
    not_proved,
    proof_of,
    receives,
    reports_of,
    sends,
    silent_since,
    until_text,
    word_came,
    word_shown,
)
from state.rows import AnyPosition, Position

__all__ = ["not_proved"]  # for flows, which reach the record through this package

PAGE = "smoke-failed"
SHORT: Mapping[Proof, str] = {
    Proof.NOT_PROVED: "registered, not proved",
    Proof.SENDS: "registered, sends",
    Proof.RECEIVES: "registered, receives",
    Proof.IN_SERVICE: "in service",
}
# What Meta reports, by topic; the word of the webhook follows it.
TOPICS: Mapping[str, str] = {
    "ban": "its account is disabled, or will be",
    "deleted": "its account was deleted",
    "restriction": "its account is restricted",
    "beginning": "its account may not begin conversations",
    "violation": "its account has broken a rule",
    "access": "access to its account was taken away",
    "review": "its account was not approved",
    "alert": "an alert about its account",
    "quality": "its quality is low",
    "limit": "its messaging limit is low, or lower than it was",
    "numbers": "its account may have fewer numbers than it has",
    "name": "its display name was not approved",
    "picture": "its profile picture was lost",
    "pin": "its two-step PIN was changed, or somebody asked for that",
    "payment": "its account cannot pay for messages",
    "locked": "its account is locked",
    "registration": "its registration is not right",
    "health": "its health says that it cannot send",
    "throughput": "its throughput changed",
}
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
FAILURES: Mapping[int, str] = {
    131047: "the recipient has not written within 24 h, so only a template may be sent",
    131042: "the account cannot pay for messages",
    131026: "the recipient cannot get it: no WhatsApp, or an old one",
    131031: "the account is locked",
    130497: "the account may not write to people of the recipient's country",
    131037: "the number's display name is not approved",
    131050: "the recipient wants no more marketing messages",
    133010: "the number is not registered on Cloud",
    131048: "too many of its messages were blocked or reported",
    131049: "Meta keeps this recipient from more marketing messages",
    131045: "the number's registration is not right",
    130472: "the recipient is in an experiment of Meta",
    368: "the account is blocked for a time",
    131021: "the recipient is the number itself",
    131030: "the recipient is not one that a test number may write to",
    132000: "the template takes other parameters",
    132001: "there is no such template in that language",
    132007: "the template breaks a rule of Meta",
    132015: "the template is paused",
    132016: "the template is disabled",
    0: "Meta gave no code",
}


def proof_text(position: AnyPosition) -> str:
    """`registered, not proved`, `registered, sends`, `in service`; `registered` before its end; `-` elsewhere."""
    if is_moved(position):
        return SHORT[proof_of(position)]
    crossed = position.side is Side.CLOUD and position.crossed_at is not None and position.ended_at is None
    return "registered" if crossed and position.itinerary not in NOT_TO_CLOUD else "-"


def report_text(topic: str, report: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(report["at"], UTC)
    return f"Meta reports ({at:%Y-%m-%d %H:%M} UTC): {TOPICS.get(topic, topic)} ({report['word']}{until_text(report)})"


def reported_texts(position: AnyPosition) -> list[str]:
    """What Meta's webhooks say against the number or its account, the worst first."""
    return [report_text(topic, report) for topic, report in reports_of(position)]


def why_not_proved(position: AnyPosition) -> str | None:
    """The first thing that is missing or stands against it; None of a number that is proved, or was not moved."""
    if not is_moved(position) or is_proved(position):
        return None
    if position.foreign_waba is not None:
        return f"its webhooks name WABA {position.foreign_waba}, and not its own"
    if position.profile_lost is not None:
        return f"its profile was lost: {position.profile_lost}"
    if position.limit_lowered is not None:
        return f"its messaging limit was lowered: {position.limit_lowered}"
    doubts = reports_of(position, Weight.DOUBT)
    if doubts:
        return report_text(*doubts[0])
    mode = mode_of(position)
    if position.smoke_error is not None:
        return f"its message failed with {position.smoke_error}: {FAILURES.get(position.smoke_error, 'see Meta')}"
    if mode in SENDING and not sends(position):
        return _not_sent(position.smoke_state)
    return _not_received(position, mode)


def _not_sent(state: str | None) -> str:
    match state:
        case None:
            return "no message was sent: no recipient is named for it (`smoke_to`, or `to` of `[smoke]`)"
        case "intended":
            return "its next message was asked for and is not sent yet; a worker or `cutover serve` sends it"
        case "unknown":
            return "whether its message was sent is not known: the answer was lost, and no webhook tells of it"
        case "sent":
            return "its message was sent, and no webhook says that it has arrived"
        case _:
            return "Meta accepted its message, which is not delivery, and no webhook says that it has arrived"


def _not_received(position: AnyPosition, mode: SmokeMode) -> str:
    if mode is SmokeMode.READ_ONLY:
        return "its wave asks for readings only (read-only), and no reading proves that messages pass"
    if mode is SmokeMode.ROUND_TRIP and not word_came(position):
        word = word_shown(position.phone_number_id, position.migration_id) if isinstance(position, Position) else ""
        return f"nobody has sent it the word {word}".rstrip() + (" that its page shows" if not word else "")
    return "no message of a consumer has come in since its move"


def not_proved_line(position: AnyPosition) -> str:
    """One sentence about a moved number that is not proved."""
    page = f"`cutover runbook {PAGE} {position.ref}`"
    return f"{position.ref} is registered on Cloud and not proved: {why_not_proved(position)}; {page}"


def moved_line(positions: Iterable[AnyPosition]) -> str | None:
    """How many are registered and how many of those are proved; None where none was moved."""
    moved = [position for position in positions if is_moved(position)]
    if not moved:
        return None
    counts = Counter(proof_of(position) for position in moved)
    parts = ", ".join(f"{counts[proof]} {SHORT[proof]}" for proof in reversed(Proof) if counts[proof])
    proved = sum(1 for position in moved if is_proved(position))
    return f"Moved: {len(moved)}, of which {proved} are proved as their waves ask ({parts})."


def proof_document(position: AnyPosition, now: datetime) -> dict[str, Any]:
    """As JSON. `proved`: what its mode asks for was shown; None of a number that was not moved."""
    moved = is_moved(position)
    return {
        "service": proof_text(position),
        "registered": moved,
        "proved": is_proved(position) if moved else None,
        "proof": {
            "mode": mode_of(position).value,
            "state": proof_of(position).value if moved else None,
            "sends": sends(position),
            "receives": receives(position),
            "why_not": why_not_proved(position),
            "message": position.smoke_state,
            "message_error": position.smoke_error,
            "delivered_at": position.sends_at,
            "received_at": position.receives_at,
            "word_received_at": position.word_at,
            "silent_since": silent_since(position, now),
            "reported": reported_texts(position),
        },
    }


def word_to_send(position: Position) -> str | None:
    """The word that a person is asked to send to the number now; None where none is awaited."""
    if mode_of(position) not in (SmokeMode.ROUND_TRIP, SmokeMode.INBOUND) or not is_moved(position):
        return None
    came = word_came(position) if mode_of(position) is SmokeMode.ROUND_TRIP else receives(position)
    return None if came else word_shown(position.phone_number_id, position.migration_id)


def mode_text(smoke: str, canary: str | None, hours: int | None) -> str:
    """How a wave's numbers are proved, where it is not the default."""
    parts = [f"proved by {smoke}"] if smoke != SmokeMode.OUTBOUND or canary else []
    parts += [f"its canary by {canary}"] if canary else []
    hours = hours or (PASSIVE_HOURS if SmokeMode.PASSIVE in (smoke, canary) else None)
    parts += [f"an alarm where nothing comes in within {hours} h"] if hours else []
    return "".join(f", {part}" for part in parts)
