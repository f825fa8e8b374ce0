"""Telling the partner's own senders: when to stop, where to send next, when to go on.

Spoken as signed HTTP from a durable outbox; a customer without a hook costs nothing. Not a step itself.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed
from migration.errors import Rejected
from migration.steps.number import Number
from migration.steps.outcomes import CannotTell, Draft, Evidence, Intent
from state.enums import Party, Side

# How long a pause holds without being renewed, so that a dead mover strands no queue.
PAUSE_LEASE = timedelta(seconds=180)


def announcement(number: Number, event: str, came_from: Side, goes_to: Side) -> Draft:
    """The word as it will be sent; the same epoch is the same word, however often it is repeated."""
    at = number.state
    body = {
        "event": event,
        "migration_id": at.migration_id,
        "e164": at.e164,
        "customer": at.customer,
        "waba_id": at.waba_id,
        "phone_number_id": at.phone_number_id,
        "from": came_from.value,
        "to": goes_to.value,
        "epoch": at.epoch + 1,
        "deadline": (number.now + PAUSE_LEASE).isoformat(),
    }
    return Draft({"body": body}, announcement=body)


def outbox_key(body: Mapping[str, Any]) -> str:
    return f"{body['migration_id']}:{body['event']}:{body['epoch']}"


async def announce(number: Number, intent: Intent, noted: Mapping[str, Any]) -> Evidence | CannotTell:
    """Say it, or ask again where the hook said it is still draining. Raises Rejected on a veto."""
    body = intent.facts["body"]
    key = outbox_key(body)
    hooks = number.hooks
    assert hooks is not None
    ask = noted.get("ask_url") if noted.get("key") == key else None
    answer = await hooks.ask(ask) if ask else await hooks.announce(body, key, send_by=intent.send_by)
    match answer:
        case HookDone():
            return Evidence({"told": body["event"], "epoch": body["epoch"]}, outbox_key=key)
        case HookDraining(ask_url):
            seen = {"ask_url": ask_url, "key": key}
            return CannotTell(number.after(seconds=2), "the senders are draining", seen, on=Party.CUSTOMER)
        case HookVetoed(reason):
            raise Rejected(f"the customer's hook vetoed {body['event']}", 409, reason, None, None, None)


async def ask_again(number: Number, intent: Intent, noted: Mapping[str, Any]) -> Evidence | CannotTell | None:
    """Where a draining hook can be asked how far it is, ask; None where the word has to be said again."""
    if noted.get("key") != outbox_key(intent.facts["body"]) or "ask_url" not in noted:
        return None
    return await announce(number, intent, noted)
