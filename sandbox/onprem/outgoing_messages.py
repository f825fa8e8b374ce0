"""Messages that an On-Premises client has accepted. Each is sent when the client serves, or fails at that time.

https://developers.facebook.com/docs/whatsapp/api/errors
408: "pending for more than a day", when the client was down for longer than that. 402: payment. 470: outside the
24 hours after the consumer last wrote. 471: too many of the number's messages are marked as spam.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.world import health, message_events
from sandbox.world.client_states import LIMITED
from sandbox.world.instance import Instance, Outgoing
from sandbox.world.number import SimNumber
from sandbox.world.webhook_addresses import client_address
from sandbox.world.world import World

PENDING_TOO_LONG, PAYMENT, WINDOW_CLOSED, SPAM = 408, 402, 470, 471
MOST_PENDING = WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    to: str
    kind: str
    accepted_at: datetime
    fails_with: int | None = None  # a fault sets this error code


def accept(world: World, client: Instance, number: SimNumber, message: Message) -> None:
    """Its statuses come by webhook. When the client has no webhook address, they only lengthen its queue."""
    if not client_address(client) is not None:
        client.callbacks.add(message.accepted_at)
        return
    due = message.accepted_at + timedelta(seconds=message_events.SENT_S)
    client.outgoing = client.outgoing if client.outgoing is not None else deque()
    client.outgoing.append(Outgoing(due, lambda at: _send(world, client, number, message, at)))
    world.sending[number.e164] = None


def _send(world: World, client: Instance, number: SimNumber, message: Message, at: datetime) -> None:
    failed = message.fails_with or _error_of(world, number, message, at)
    began = at - timedelta(seconds=message_events.SENT_S)
    message_events.statuses_on_premises(world, client, message.to, message.id, began, failed)


def _error_of(world: World, number: SimNumber, message: Message, at: datetime) -> int | None:
    if at - message.accepted_at > MOST_PENDING:
        return PENDING_TOO_LONG
    if health.PAYMENT in health.problems(world, number):
        return PAYMENT
    if number.flagged == LIMITED:
        return SPAM
    last_inbound = number.windows.get(message.to)
    window_open = last_inbound is not None and at - last_inbound < WINDOW
    return None if message.kind == "template" or window_open else WINDOW_CLOSED
