"""Which addresses get a webhook: those of the subscribed apps, or the one of an On-Premises client.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override (phone, then WABA, then app)
On-Premises: https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sandbox.world.accounts import Waba
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Address, Update
from sandbox.world.world import World

# Only this field follows an override; all others go to the app's own address (see the page about overrides).
OVERRIDABLE = "messages"


def addresses(world: World, waba: Waba, field: str, number: SimNumber | None = None) -> Iterator[Address]:
    """The addresses of the subscribed apps for this field."""
    for subscription in waba.subscriptions.values():
        app = world.apps[subscription.app_id]
        if app.fields and field not in app.fields:
            continue
        url = app.callback_url
        if field == OVERRIDABLE:
            url = subscription.override or url
            if number is not None:
                url = number.webhooks.get(app.id, url)
        if url:
            yield Address(url, secret=app.secret)


def client_address(instance: Instance) -> Address | None:
    """The one webhook address of a client, from its settings; None when there is none."""
    settings = instance.effective_settings()
    url = settings["webhooks"].get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    first, longest = settings["callback_backoff_delay_ms"], settings["max_callback_backoff_delay_ms"]
    return Address(url, None, instance.queue, _seconds(first, 3.0), _seconds(longest, 900.0))


def _seconds(milliseconds: Any, default: float) -> float:
    """From a text or a number."""
    try:
        return max(0.001, float(milliseconds) / 1000)
    except (TypeError, ValueError):
        return default


def put(
    world: World, number: SimNumber, field: str, value: Mapping[str, Any], at: datetime, *, about: str | None = None
) -> None:
    """Puts a webhook into the outbox for each address.

    `about`: id of the message or status. None for an event of the account, whose entry has a time.
    """
    waba = world.wabas[number.waba_id]
    time = int(at.timestamp()) if about is None else None
    if about is None:
        number.notices += 1
        about = f"{field}:{number.notices}"
    receivers = tuple(addresses(world, waba, field, number))
    for address in receivers:
        change = {"value": dict(value), "field": field}
        world.outbox.put(Update(address, waba.id, change, f"{number.e164}:{about}", time, receivers), at)


def put_for_client(world: World, instance: Instance, change: Mapping[str, Any], at: datetime, about: str) -> bool:
    """Puts a webhook of a client into the outbox; False when the client has no webhook address."""
    address = client_address(instance)
    if address is None:
        return False
    world.outbox.put(Update(address, "", change, f"{instance.id}:{about}"), at)
    return True
