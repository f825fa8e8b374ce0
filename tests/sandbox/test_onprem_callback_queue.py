"""The callback queue of an On-Premises client: restarts, overload and retries."""

import json
from datetime import datetime
from itertools import pairwise

import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Partner, error_code_of, recording_receiver

HELLO = {"to": "4915112345678", "type": "template"}
TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}


async def set_webhook(partner: Partner, **changes: object) -> None:
    settings = {"webhooks": {"url": "https://old.partner.net/hook"}, **changes}
    assert (await partner.onprem("PATCH", "settings/application", json=settings)).status_code == 200


@pytest.mark.parametrize(("persists", "kept"), [(True, 1), (False, 0)])
async def test_restart_loses_callbacks_kept_in_memory(persists: bool, kept: int) -> None:
    partner = Partner.of()
    await set_webhook(partner, callback_persist=persists)
    await partner.act_on_client("start")  # the setting takes effect with this restart
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    assert await partner.callback_queue_size() == 1
    await partner.act_on_client("start")
    assert await partner.callback_queue_size() == kept
    deliveries: list[Delivery] = []
    partner.sandbox.deliver(recording_receiver(deliveries))
    assert len(deliveries) == kept
    assert await partner.callback_queue_size() == 0


async def test_persistence_setting_takes_effect_at_restart() -> None:
    partner = Partner.of()
    await set_webhook(partner, callback_persist=False)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    settings = (await partner.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert settings["callback_persist"] is False
    await partner.act_on_client("start")
    assert await partner.callback_queue_size() == 1  # it was written to disk under the old setting
    await partner.act_on_client("start")
    assert await partner.callback_queue_size() == 0


async def test_full_queue_refuses_messages_with_1016() -> None:
    partner = Partner.of(overload_at=3)
    message = HELLO | {"template": TEMPLATE}
    responses = [await partner.onprem("POST", "messages", json=message) for _ in range(4)]
    assert [error_code_of(response) for response in responses] == [None, None, None, 1016]
    partner.clock.advance(seconds=1)
    assert (await partner.onprem("POST", "messages", json=message)).status_code == 201
    await partner.act_on_client("callbacks_pile_up")
    partner.clock.advance(hours=1)
    assert error_code_of(await partner.onprem("POST", "messages", json=message)) == 1016
    await partner.act_on_client("callbacks_drain")
    partner.clock.advance(seconds=1)
    assert (await partner.onprem("POST", "messages", json=message)).status_code == 201


async def test_scenario_can_start_with_full_queue() -> None:
    partner = Partner.from_row("{kind: healthy, callbacks: overloaded}")
    assert await partner.callback_queue_size() == 100_000
    assert error_code_of(await partner.onprem("POST", "messages", json=HELLO | {"template": TEMPLATE})) == 1016


async def test_refused_callback_is_retried_with_growing_delay() -> None:
    partner = Partner.of()
    await set_webhook(partner, callback_backoff_delay_ms=3000, max_callback_backoff_delay_ms=8000)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    times: list[datetime] = []
    deliveries: list[Delivery] = []
    for _ in range(60):
        times += [partner.clock.time] * partner.sandbox.deliver(recording_receiver(deliveries, 500))
        partner.clock.advance(seconds=1)
    gaps = [(late - early).total_seconds() for early, late in pairwise(times)]
    assert gaps[:5] == [3, 6, 8, 8, 8]


async def test_callback_has_onprem_envelope() -> None:
    partner = Partner.of()
    await set_webhook(partner)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    deliveries: list[Delivery] = []
    partner.sandbox.deliver(recording_receiver(deliveries))
    assert set(json.loads(deliveries[0].body)) == {"contacts", "messages"}


async def test_queue_holds_only_past_events() -> None:
    partner = Partner.of()
    await set_webhook(partner)
    assert (await partner.onprem("POST", "messages", json=HELLO | {"template": TEMPLATE})).status_code == 201
    sizes = []
    for _ in range(4):
        sizes.append(await partner.callback_queue_size())
        partner.clock.advance(seconds=1)
    assert sizes == [0, 0, 1, 1]  # `delivered` comes after 1.5 s; no receiver runs
    deliveries: list[Delivery] = []
    partner.sandbox.deliver(recording_receiver(deliveries))
    assert await partner.callback_queue_size() == 0  # `read` comes only after 20 s
    partner.clock.advance(seconds=20)
    assert await partner.callback_queue_size() == 1
    partner.sandbox.deliver(recording_receiver(deliveries))
    assert (await partner.callback_queue_size(), len(deliveries)) == (0, 2)
