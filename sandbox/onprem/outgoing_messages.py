"""Messages that an On-Premises client has taken: each leaves when the client serves, and meets its fate then.

https://developers.facebook.com/docs/whatsapp/api/errors
408: "pending for more than a day", to be expected after the client was down for longer than that. 402: payment. 470:
outside the 24 hours after the consumer last wrote. 471: too much of what the number sends is taken for spam.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.world import events as callbacks
from sandbox.world import health
from sandbox.world.client_states import LIMITED
from sandbox.world.instance import Instance, Outgoing
from sandbox.world.number import SimNumber
from sandbox.world.world import World

PENDING_TOO_LONG, PAYMENT, WINDOW_CLOSED, SPAM = 408, 402, 470, 471
MOST_PENDING = WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    to: str
    kind: str
    taken_at: datetime
    fails_with: int | None = None  # a fault said so


def take(world: World, client: Instance, number: SimNumber, message: Message) -> None:
    """Its statuses come by webhook; where the client has nobody to tell, they only lengthen its queue."""
    if not callbacks.listens(client):
        client.callbacks.add(message.taken_at)
        return
    leaves = message.taken_at + timedelta(seconds=callbacks.SENT_S)
    client.outgoing = client.outgoing if client.outgoing is not None else deque()
    client.outgoing.append(Outgoing(leaves, lambda at: _goes_out(world, client, number, message, at)))
    world.sending[number.e164] = None


def _goes_out(world: World, client: Instance, number: SimNumber, message: Message, at: datetime) -> None:
    failed = message.fails_with or _fails(world, number, message, at)
    began = at - timedelta(seconds=callbacks.SENT_S)
    callbacks.statuses_on_premises(world, client, message.to, message.id, began, failed)


def _fails(world: World, number: SimNumber, message: Message, at: datetime) -> int | None:
    if at - message.taken_at > MOST_PENDING:
        return PENDING_TOO_LONG
    if health.PAYMENT in health.problems(world, number):
        return PAYMENT
    if number.flagged == LIMITED:
        return SPAM
    wrote = number.windows.get(message.to)
    open_ = wrote is not None and at - wrote < WINDOW
    return None if message.kind == "template" or open_ else WINDOW_CLOSED
