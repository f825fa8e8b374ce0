"""Messages and contacts of an On-Premises client: what it accepts, and how it refuses the rest.

https://developers.facebook.com/docs/whatsapp/api/errors
Contacts: from v2.43 on each one is `valid`. An older client has to look a contact up before it sends to it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem import deployments, outgoing_messages
from sandbox.onprem.call import OnPremCall
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.world import World

# fmt: off
TYPES = frozenset({
    "text", "template", "image", "audio", "voice", "video", "document", "sticker", "location", "contacts", "interactive"
})
# fmt: on
LONGEST_TEXT = 4096
ALWAYS_VALID = "2.43"
# Numbers with this ending are not on WhatsApp; ours.
NOT_ON_WHATSAPP = "0000"
# States in which a message can wait until the client is connected.
WAITS = frozenset({"connecting", "disconnected"})


def send(call: OnPremCall) -> tuple[int, Any]:
    """Accepts a message; its statuses come by webhook."""
    world, client = call.world, call.instance
    if queued(world, client) >= world.switches.overload_at:
        raise OnPremRefusal(1016, "The callback queue is too long")
    to, kind = _recipient(call.body), _content(call.body)
    number = world.number_of(client)
    assert number is not None
    if number.banned:
        raise OnPremRefusal(world.switches.banned_client_code, "The account is locked", 403)
    if number.locked and world.connected(client):
        raise OnPremRefusal(1031, "The account is locked")
    if not (world.connected(client) or _queues_messages(world, client)):
        raise OnPremRefusal(world.switches.message_refused_code, "Client is not connected to WhatsApp")
    if to == number.digits:
        raise OnPremRefusal(1021, "Sender and recipient are the same")
    if client.older_than(ALWAYS_VALID) and client.contacts.get(to) != "valid":
        raise OnPremRefusal(1006, "unknown contact")
    if kind == "template":
        _known_template(world, number, call.body["template"])
    return 201, {"messages": [{"id": _accept(world, client, number, to, kind)}]}


def _accept(world: World, client: Instance, number: SimNumber, to: str, kind: str) -> str:
    client.messages += 1
    message_id = "gBEG" + world.draw(number).randbytes(16).hex().upper()
    if kind == "template":
        number.paid_at = world.now()
    message = outgoing_messages.Message(message_id, to, kind, world.now(), number.next_message_error)
    outgoing_messages.accept(world, client, number, message)
    return message_id


def _queues_messages(world: World, client: Instance) -> bool:
    """Whether a registered client accepts messages while it is not connected, as error 408 suggests: a switch."""
    waits = client.registered and deployments.state_now(world, client).name in WAITS
    return waits and world.switches.messages_while_disconnected == "queued"


def _recipient(body: Mapping[str, Any]) -> str:
    to = body.get("to")
    if not to:
        raise OnPremRefusal(1008, "Parameter 'to' is mandatory")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise OnPremRefusal(1002, "recipient_type must be individual or group")
    digits = "".join(char for char in str(to) if char in "0123456789")
    if not isinstance(to, str) or not digits:
        raise OnPremRefusal(1009, "Parameter 'to' is not a WhatsApp ID")
    return digits


def _content(body: Mapping[str, Any]) -> str:
    kind = body.get("type", "text")
    if not isinstance(kind, str) or kind not in TYPES:
        raise OnPremRefusal(1009, "Parameter 'type' is not a type of message")
    content = body.get(kind)
    if not content or not isinstance(content, list if kind == "contacts" else dict):
        raise OnPremRefusal(1008, f"Parameter '{kind}' is mandatory")
    if isinstance(content, dict) and (check := CONTENTS.get(kind)) is not None:
        check(content)
    return kind


def _text(content: Mapping[str, Any]) -> None:
    body = content.get("body")
    if not isinstance(body, str) or not body:
        raise OnPremRefusal(1008, "Parameter 'text.body' is mandatory")
    if len(body) > LONGEST_TEXT:
        raise OnPremRefusal(1001, f"Parameter 'text.body' is longer than {LONGEST_TEXT}")


def _template(content: Mapping[str, Any]) -> None:
    for name in ("namespace", "name"):
        if not isinstance(content.get(name), str) or not content[name]:
            raise OnPremRefusal(1008, f"Parameter 'template.{name}' is mandatory")
    language = content.get("language")
    if not isinstance(language, dict) or not isinstance(language.get("code"), str):
        raise OnPremRefusal(1008, "Parameter 'template.language' is mandatory")


CONTENTS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {"text": _text, "template": _template}


def _known_template(world: World, number: SimNumber, template: Mapping[str, Any]) -> None:
    name, language = template["name"], template["language"]["code"]
    if (name, language) not in {(known.name, known.language) for known in world.wabas[number.waba_id].templates}:
        raise OnPremRefusal(2001, f"Template {name} does not exist in the language")


def queued(world: World, client: Instance) -> int:
    """`callback_queue_size`: webhooks that the partner's receiver has not accepted yet."""
    return client.callbacks.settle(world.now()) + world.outbox.waiting(client.queue, world.now())


# -- contacts


def contacts(call: OnPremCall) -> tuple[int, Any]:
    """With `blocking: no_wait` (default) an older client answers `processing` for a contact it has not looked up."""
    inputs, blocking = call.body.get("contacts"), call.body.get("blocking", "no_wait")
    if not isinstance(inputs, list):
        raise OnPremRefusal(1008, "Parameter 'contacts' is mandatory")
    if blocking not in ("wait", "no_wait"):
        raise OnPremRefusal(1009, "Parameter 'blocking' must be wait or no_wait")
    return 200, {"contacts": [_look_up(call.instance, str(text), blocking == "wait") for text in inputs]}


def _look_up(client: Instance, text: str, waits: bool) -> dict[str, str]:
    digits = "".join(char for char in text if char in "0123456789")
    real = 7 <= len(digits) <= 15 and not digits.endswith(NOT_ON_WHATSAPP)
    known = digits in client.contacts
    status = "valid" if real or not client.older_than(ALWAYS_VALID) else "invalid"
    client.contacts[digits] = status
    if client.older_than(ALWAYS_VALID) and not known and not waits:
        return {"input": text, "status": "processing"}
    return {"input": text, "status": status} | ({"wa_id": digits} if status == "valid" else {})
