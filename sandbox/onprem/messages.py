"""Messages and contacts of an On-Premises client: what it takes, and why not.

https://developers.facebook.com/docs/whatsapp/api/errors
Contacts: from v2.43 on every one is `valid`; an older client looks them up, and does not know who was not looked up.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem import deployments
from sandbox.onprem import outgoing_messages as onprem_outgoing
from sandbox.onprem.call import Visit
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
# Numbers that end so are on nobody's phone; ours.
NOBODYS = "0000"
# States in which a message can wait until the client is let in (again).
WAITS = frozenset({"connecting", "disconnected"})


def send(visit: Visit) -> tuple[int, Any]:
    """Takes a message for sending; its fate comes by webhook."""
    world, client = visit.world, visit.instance
    if queued(world, client) >= world.switches.overload_at:
        raise OnPremRefusal(1016, "The callback queue is too long")
    to, kind = _recipient(visit.body), _content(visit.body)
    number = world.number_of(client)
    assert number is not None
    if number.banned:
        raise OnPremRefusal(world.switches.banned_client_code, "The account is locked", 403)
    if number.locked and world.connected(client):
        raise OnPremRefusal(1031, "The account is locked")
    if not (world.connected(client) or _keeps(world, client)):
        raise OnPremRefusal(world.switches.message_refused_code, "Client is not connected to WhatsApp")
    if to == number.digits:
        raise OnPremRefusal(1021, "Sender and recipient are the same")
    if client.older_than(ALWAYS_VALID) and client.contacts.get(to) != "valid":
        raise OnPremRefusal(1006, "unknown contact")
    if kind == "template":
        _known_template(world, number, visit.body["template"])
    return 201, {"messages": [{"id": _taken(world, client, number, to, kind)}]}


def _taken(world: World, client: Instance, number: SimNumber, to: str, kind: str) -> str:
    client.messages += 1
    message_id = "gBEG" + world.draw(number).randbytes(16).hex().upper()
    if kind == "template":
        number.paid_at = world.now()
    message = onprem_outgoing.Message(message_id, to, kind, world.now(), number.fails_next)
    onprem_outgoing.take(world, client, number, message)
    return message_id


def _keeps(world: World, client: Instance) -> bool:
    """A registered client takes messages while it is cut off, or so the code 408 suggests: a switch."""
    waits = client.registered and deployments.state(world, client).name in WAITS
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
    wanted = (template["name"], template["language"]["code"])
    if wanted not in {(one.name, one.language) for one in world.wabas[number.waba_id].templates}:
        raise OnPremRefusal(2001, f"Template {template['name']} does not exist in the language")


def queued(world: World, client: Instance) -> int:
    """`callback_queue_size`: what the partner's webhook has not taken yet."""
    return client.callbacks.settle(world.now()) + world.outbox.waiting(client.queue, world.now())


# -- contacts


def contacts(visit: Visit) -> tuple[int, Any]:
    """`blocking: no_wait` (the default) of an older client says `processing` where it has not looked yet."""
    asked, blocking = visit.body.get("contacts"), visit.body.get("blocking", "no_wait")
    if not isinstance(asked, list):
        raise OnPremRefusal(1008, "Parameter 'contacts' is mandatory")
    if blocking not in ("wait", "no_wait"):
        raise OnPremRefusal(1009, "Parameter 'blocking' must be wait or no_wait")
    return 200, {"contacts": [_looked_up(visit.instance, str(one), blocking == "wait") for one in asked]}


def _looked_up(client: Instance, given: str, waits: bool) -> dict[str, str]:
    digits = "".join(char for char in given if char in "0123456789")
    real = 7 <= len(digits) <= 15 and not digits.endswith(NOBODYS)
    known, found = digits in client.contacts, "valid" if real or not client.older_than(ALWAYS_VALID) else "invalid"
    client.contacts[digits] = found
    if client.older_than(ALWAYS_VALID) and not known and not waits:
        return {"input": given, "status": "processing"}
    return {"input": given, "status": found} | ({"wa_id": digits} if found == "valid" else {})
