"""Announcements to the partner's own senders: when to stop, where to send next, when to go on.

Sent as signed HTTP from a durable outbox; without a hook they cost nothing. Used by steps, not a step itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.errors import Rejected
from migration.steps.number import Number
from migration.steps.outcomes import CannotTell, Draft, Evidence, Intent
from migration.steps.pause_rules import PAUSE_LEASE, may_be_dark
from state.enums import Party, Side
from state.proof import ACCOUNT_ERRORS
from state.rows import Position


def announcement(number: Number, event: str, came_from: Side, goes_to: Side) -> Draft:
    """The announcement as it will be sent; with the same epoch it is the same announcement, however often repeated."""
    body = announcement_body(number.state, number.now, event, came_from, goes_to)
    return Draft({"body": body}, announcement=body)


def announcement_body(state: Position, now: datetime, event: str, came_from: Side, goes_to: Side) -> dict[str, Any]:
    """docs/hooks.md describes each field."""
    body = {
        "event": event,
        "migration_id": state.migration_id,
        "e164": state.e164,
        "customer": state.customer,
        "waba_id": state.waba_id,
        "phone_number_id": state.phone_number_id,
        "from": came_from.value,
        "to": goes_to.value,
        "epoch": state.epoch + 1,
        "deadline": (now + PAUSE_LEASE).isoformat(),
    }
    if state.home:
        body["home"] = state.home
    if event == "pause_sends":
        body["after_deadline"] = "stay" if may_be_dark(state) else "resume"
    if event == "resume_sends" and goes_to is Side.CLOUD and state.smoke_error in ACCOUNT_ERRORS:
        body["refused"] = state.smoke_error  # the senders may rather keep their messages than have them refused
    return body


def outbox_key(body: Mapping[str, Any]) -> str:
    """Of another home, or after a restore, the same number, event and epoch have another key."""
    return ":".join(str(body[name]) for name in ("migration_id", "event", "epoch", "home") if name in body)


async def announce(number: Number, intent: Intent, note: Mapping[str, Any]) -> Evidence | CannotTell:
    """Send the announcement, or ask a hook that is still draining how far it is. Raises Rejected on a veto."""
    body = intent.facts["body"]
    key = outbox_key(body)
    hooks = number.hooks
    assert hooks is not None
    ask_url = note.get("ask_url") if note.get("key") == key else None
    answer = await hooks.ask(ask_url, key, body) if ask_url else await hooks.announce(body, key, send_by=intent.send_by)
    match answer:
        case HookDone(in_flight):
            told = {"told": body["event"], "epoch": body["epoch"]}
            return Evidence(told | ({"in_flight": in_flight} if in_flight is not None else {}), outbox_key=key)
        case HookDraining(next_url) as draining:
            note = {"ask_url": next_url, "key": key}
            return CannotTell(number.after(seconds=2), _how_far(draining), note, on=Party.CUSTOMER)
        case HookVetoed(reason, until):
            wait = max(until - number.time(), timedelta()) if until is not None else None
            raise Rejected(f"the customer's hook vetoed {body['event']}", 409, reason, None, wait, None)


def _how_far(draining: HookDraining) -> str:
    """What the hook says of its senders, as far as it says something."""
    in_flight = f", {draining.in_flight} messages in flight" if draining.in_flight is not None else ""
    until = f", until {draining.until:%H:%M:%S} UTC by their own word" if draining.until is not None else ""
    return f"the senders are draining{in_flight}{until}"


async def ask_again(number: Number, intent: Intent, note: Mapping[str, Any]) -> Evidence | CannotTell | None:
    """Ask a draining hook how far it is; None where it named no address, so the announcement has to be sent again."""
    if note.get("key") != outbox_key(intent.facts["body"]) or "ask_url" not in note:
        return None
    return await announce(number, intent, note)
