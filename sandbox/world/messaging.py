"""Messages that a number on Cloud sends, and inbound messages. One that arrives while the number is dark is dropped.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import Refusal
from sandbox.world import health, message_events
from sandbox.world.number import SimNumber
from sandbox.world.world import World

# A consumer's message opens the customer service window for this long.
WINDOW = timedelta(hours=24)
# fmt: off
TYPES = frozenset({
    "text", "template", "image", "audio", "video", "document", "sticker", "location", "contacts", "interactive",
    "reaction"
})
# fmt: on
MEDIA = frozenset({"image", "audio", "video", "document", "sticker"})
LONGEST_TEXT = 4096
# "Must be CONNECTED to send"; the error code for each other status is undocumented: these are what their names mean.
FLAGS: Mapping[str, int] = {"RATE_LIMITED": 131048, "RESTRICTED": 368}
LONGEST_OPAQUE = 512
STANDARD_MPS, HIGH_MPS, COEXISTENCE_MPS = 80, 1_000, 20


def send(world: World, number: SimNumber, body: Mapping[str, Any]) -> dict[str, Any]:
    """Accepts a message for sending from Cloud; returns the response body. Raises Refusal."""
    at = world.now()
    to = _recipient(world, number, body)
    _on_cloud(number)
    if number.maintenance_until is not None and at < number.maintenance_until:
        raise Refusal(131057, "The business account is in maintenance mode.")
    if to == number.digits:
        raise Refusal(131021)
    failed = health.stops_messages(world, number)
    if failed is not None and world.switches.blocked_account == "sync":
        raise Refusal(failed, "The account cannot send messages.")
    if body.get("type") == "template":
        _known_template(world, number, body["template"])
    elif failed is None and not window_open(world, number, to):
        if world.switches.text_outside_window == "sync":
            raise Refusal(131047, "More than 24 hours have passed since the recipient last replied.")
        failed = 131047
    failed = number.next_message_error or failed
    _check_pace(world, number, to, at)
    _note_correlation(number, body)
    if failed is None and body.get("type") == "template" and not window_open(world, number, to):
        number.paid_at = at  # paid by every price list so far; about other messages the lists differ
    wamid = "wamid." + world.draw(number).randbytes(18).hex().upper()
    message_events.statuses_on_cloud(world, number, to, wamid, at, body.get("biz_opaque_callback_data"), failed)
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": str(body["to"]), "wa_id": to}],
        "messages": [{"id": wamid, "message_status": "accepted"}],
    }


def read_receipt(number: SimNumber, body: Mapping[str, Any]) -> None:
    """Marks an inbound message as read; only a number that is on Cloud can. Raises Refusal.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/mark-message-as-read
    """
    if body.get("messaging_product") != "whatsapp":
        raise Refusal(100, "The parameter messaging_product is required.")
    if not isinstance(body.get("message_id"), str) or not body["message_id"]:
        raise Refusal(131008, "Parameter message_id is required.")
    _on_cloud(number)


def _on_cloud(number: SimNumber) -> None:
    """Raises Refusal when the number cannot act on Cloud: 133010 when it is not registered there."""
    if number.banned:
        raise Refusal(131031)
    if number.side != "cloud" or number.flagged == "MIGRATED":
        raise Refusal(133010, message="(#133010) Account not registered")
    if number.flagged is not None and number.flagged in FLAGS:
        raise Refusal(FLAGS[number.flagged])


def most_per_second(number: SimNumber) -> int:
    """Messages a second: https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput"""
    if number.on_business_app:
        return COEXISTENCE_MPS
    return HIGH_MPS if number.throughput == "HIGH" else STANDARD_MPS


def _check_pace(world: World, number: SimNumber, to: str, at: datetime) -> None:
    if world.switches.message_limits == "off":
        return
    if not number.pace.within_throughput(most_per_second(number), at):
        raise Refusal(130429, "Cloud API message throughput has been reached.")
    if not number.pace.within_pair_rate(to, at):
        raise Refusal(131056, "Too many messages were sent from this number to the same recipient.")


def _recipient(world: World, number: SimNumber, body: Mapping[str, Any]) -> str:
    if body.get("messaging_product") != "whatsapp":
        raise Refusal(100, "The parameter messaging_product is required.")
    kind = body.get("type", "text")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Refusal(131051, f"{kind} is not a message type.")
    if not body.get("to"):
        raise Refusal(131008, "Parameter to is required.")
    if isinstance(body["to"], bool) or not isinstance(body["to"], str | int):
        raise Refusal(131009, "Parameter to is not a phone number.")
    _content(kind, body.get(kind))
    digits = "".join(char for char in str(body["to"]) if char.isdigit())
    if world.switches.to_without_plus == "country_added" and not str(body["to"]).lstrip().startswith("+"):
        digits = number.digits[:2] + digits  # the countries of these numbers have two digits
    if not 6 <= len(digits) <= 15:
        raise Refusal(131009, "Parameter to is not a phone number.")
    opaque = body.get("biz_opaque_callback_data")
    if opaque is not None and not (isinstance(opaque, str) and len(opaque) <= LONGEST_OPAQUE):
        raise Refusal(131009, f"Parameter biz_opaque_callback_data must be a text of at most {LONGEST_OPAQUE}.")
    return digits


def _content(kind: str, content: Any) -> None:
    """Raises Refusal when the content is missing, or does not fit the message type."""
    if not content or not isinstance(content, list if kind == "contacts" else Mapping):
        raise Refusal(131008, f"Parameter {kind} is required.")
    if isinstance(content, list):
        return
    if kind == "text":
        text = content.get("body")
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
            raise Refusal(100, f"Param text['body'] must be a text of 1 to {LONGEST_TEXT} characters.")
    if kind in MEDIA and not any(isinstance(content.get(name), str) and content[name] for name in ("id", "link")):
        raise Refusal(131008, f"Parameter {kind}['id'] or {kind}['link'] is required.")


def _known_template(world: World, number: SimNumber, template: Mapping[str, Any]) -> None:
    language = template.get("language")
    code = language.get("code") if isinstance(language, Mapping) else None
    for known in world.wabas[number.waba_id].templates:
        if (known.name, known.language) == (template.get("name"), code):
            return
    raise Refusal(132001, f"template name ({template.get('name')}) does not exist in {code}")


def _note_correlation(number: SimNumber, body: Mapping[str, Any]) -> None:
    """The same opaque data twice means that a message was sent again after its first response was lost."""
    correlation = body.get("biz_opaque_callback_data")
    if correlation is None:
        return
    if correlation in number.correlations:
        number.double_effects += 1
    number.correlations.add(correlation)


def window_open(world: World, number: SimNumber, consumer: str) -> bool:
    last_inbound = number.windows.get(consumer)
    return last_inbound is not None and world.now() - last_inbound < WINDOW


def inbound(world: World, number: SimNumber, consumer: str, text: str = "Hello") -> str | None:
    """A consumer writes to the number. Returns the side that gets the message; None when it is silently dropped."""
    world.settle(number)
    at = world.now()
    digits = "".join(char for char in consumer if char.isdigit())
    number.windows[digits] = at
    number.inbound += 1
    message_id = (
        hashlib.sha256(f"{world.seed}:{number.e164}:inbound:{number.inbound}".encode()).hexdigest()[:36].upper()
    )
    if number.side == "on_premises":
        instance = world.instances[str(number.live_instance)]
        if not message_events.inbound_on_premises(world, instance, digits, f"ABG{message_id}", text, at):
            instance.callbacks.add(at)
        return "on_premises"
    delivered = number.side == "cloud" and bool(world.wabas[number.waba_id].subscriptions)
    if number.side == "cloud":
        number.pace.within_throughput(most_per_second(number), at)  # inbound messages count too, and are never refused
    if delivered:
        message_events.inbound_on_cloud(world, number, digits, f"wamid.{message_id}", text, at)
        return "cloud"
    number.dropped_inbound += 1  # on neither side, or on Cloud without a subscribed app
    return None
