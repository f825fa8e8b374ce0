"""The history of a number in sentences: one for each kind of event, with who and why.

What an event holds beside them is evidence; pages fold it away. Pure functions.
"""

from collections.abc import Mapping
from typing import Any

from state.rows import EventRow

# `{step}` and the other names are facts of the event; one that is missing is left out with its words.
SENTENCES: Mapping[str, str] = {
    "started": "It was put on its way",
    "intent": "{step}: the call was written down, then sent",
    "advanced": "{step} is done",
    "already_in_place": "{step}: what it does was true already",
    "still_good": "{step}: the earlier result is still good",
    "passed_over": "{step} was not needed",
    "waiting": "{step} waits",
    "held": "{step} is held at the gate",
    "blocked": "{step} is blocked: a person has to look",
    "reopened": "It goes back to {to}",
    "switched": "It was put on another way",
    "hold": "It was put on hold",
    "released": "It was released from its hold",
    "resolved": "It was made due again",
    "reserve_released": "It may spend the last calls of 72 h",
    "code_entered": "A code was typed in",
    "code_lost": "The code did not come; the next one by {next_method}",
    "at_the_phone": "Somebody is at the phone",
    "left_the_phone": "Nobody is at the phone any more",
    "slot_booked": "A time was booked",
    "slot_cancelled": "The booked time was cancelled",
    "pin_stated": "Its PIN was stated",
    "onprem_off_stated": "It was stated that On-Premises is off for good",
    "terms_stated": "It was stated that the Terms are accepted",
    "senders_resumed": "Its senders go on",
    "senders_resumed_stated": "It was stated that its senders go on",
    "serves_again": "It serves again",
    "stopped_serving": "It stopped serving",
    "settled": "{step}: what became of the call was found by reading both sides",
    "not_done": "{step}: the call had no effect",
    "left_by_worker": "Its worker has exited and left it at {step}",
    "taken_over": "It is registered by somebody else; what follows is done from {to} on",
    "wave_changed": "It was put into another wave",
    "skipped": "It will not be moved",
    "revealed": "A secret of it was shown",
    "room_revoked": "The links to its room were ended",
    "compared": "What is true of it now was compared with what was true before",
    "proof_asked": "A new proof that it works was asked for",
    "proof_refused": "Meta did not take the message that was to prove it",
    "proof_withdrawn": "The message that was to prove it was not sent",
    "customer_consented": "Its customer agreed to the move",
}
SAID = ("step", "by", "reason", "because", "to", "next_method", "body", "ref", "e164", "phone_number_id")


def event_text(event: EventRow) -> str:
    """One sentence: what happened, by whom, and why."""
    said = SENTENCES.get(event.kind, event.kind.replace("_", " ").capitalize())
    words = {name: str(value) for name, value in event.facts.items() if value not in (None, "", {})}
    words |= {name: words[name].replace("_", " ") for name in ("step", "to") if name in words}
    text = said.format_map(_Known(words)).strip()
    by, why = words.get("by"), words.get("reason") or words.get("because")
    return f"{text[:1].upper()}{text[1:]}{f', by {by}' if by else ''}{f': {why}' if why else ''}."


def event_evidence(event: EventRow) -> list[tuple[str, str]]:
    """What else the event holds, as names and values; never the body of a message to senders."""
    return [
        (name.replace("_", " "), _plain(value))
        for name, value in event.facts.items()
        if name not in SAID and value not in (None, "", {}, [])
    ]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items() if name != "body")
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "its next step" if name == "step" else "another one"
