"""The callback queue of an On-Premises client: kept or lost at a restart, full, and tried again."""

import json
from datetime import datetime
from itertools import pairwise

import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Far, code_of, taking

HELLO = {"to": "4915112345678", "type": "template"}
TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}


async def queued(far: Far) -> int:
    told = (await far.onprem("GET", "stats/app")).json()
    return int(told["stats"]["app"]["callback_queue_size"]["data"][0]["value"])


async def listen(far: Far, **more: object) -> None:
    told = {"webhooks": {"url": "https://old.partner.net/hook"}, **more}
    assert (await far.onprem("PATCH", "settings/application", json=told)).status_code == 200


async def do(far: Far, what: str) -> None:
    await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": what})


@pytest.mark.parametrize(("persists", "kept"), [(True, 1), (False, 0)])
async def test_a_restart_loses_callbacks_that_were_kept_in_memory(persists: bool, kept: int) -> None:
    far = Far.of()
    await listen(far, callback_persist=persists)
    await do(far, "start")  # what is set takes effect now
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    assert await queued(far) == 1
    await do(far, "start")
    assert await queued(far) == kept
    heard: list[Delivery] = []
    far.sandbox.deliver(taking(heard))
    assert len(heard) == kept
    assert await queued(far) == 0


async def test_persistence_changes_with_the_restart_and_not_before() -> None:
    far = Far.of()
    await listen(far, callback_persist=False)
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    shown = (await far.onprem("GET", "settings/application")).json()["settings"]["application"]
    assert shown["callback_persist"] is False
    await do(far, "start")
    assert await queued(far) == 1  # it was written to disk under the old setting
    await do(far, "start")
    assert await queued(far) == 0


async def test_a_queue_that_nobody_empties_ends_in_1016() -> None:
    far = Far.of(overload_at=3)
    message = HELLO | {"template": TEMPLATE}
    answers = [await far.onprem("POST", "messages", json=message) for _ in range(4)]
    assert [code_of(answer) for answer in answers] == [None, None, None, 1016]
    far.clock.pass_(seconds=1)
    assert (await far.onprem("POST", "messages", json=message)).status_code == 201
    await do(far, "callbacks_pile_up")
    far.clock.pass_(hours=1)
    assert code_of(await far.onprem("POST", "messages", json=message)) == 1016
    await do(far, "callbacks_drain")
    far.clock.pass_(seconds=1)
    assert (await far.onprem("POST", "messages", json=message)).status_code == 201


async def test_a_fleet_can_begin_overloaded() -> None:
    far = Far.told("{kind: healthy, callbacks: overloaded}")
    assert await queued(far) == 100_000
    assert code_of(await far.onprem("POST", "messages", json=HELLO | {"template": TEMPLATE})) == 1016


async def test_what_is_not_taken_comes_again_a_step_later_each_time() -> None:
    far = Far.of()
    await listen(far, callback_backoff_delay_ms=3000, max_callback_backoff_delay_ms=8000)
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    at: list[datetime] = []
    heard: list[Delivery] = []
    for _ in range(60):
        at += [far.clock.at] * far.sandbox.deliver(taking(heard, 500))
        far.clock.pass_(seconds=1)
    gaps = [(late - early).total_seconds() for early, late in pairwise(at)]
    assert gaps[:5] == [3, 6, 8, 8, 8]


async def test_callbacks_keep_their_own_envelope() -> None:
    far = Far.of()
    await listen(far)
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    heard: list[Delivery] = []
    far.sandbox.deliver(taking(heard))
    assert set(json.loads(heard[0].body)) == {"contacts", "messages"}


async def test_the_queue_holds_what_has_happened_and_not_what_will() -> None:
    far = Far.of()
    await listen(far)
    assert (await far.onprem("POST", "messages", json=HELLO | {"template": TEMPLATE})).status_code == 201
    seen = []
    for _ in range(4):
        seen.append(await queued(far))
        far.clock.pass_(seconds=1)
    assert seen == [0, 0, 1, 1]  # delivered after a second and a half; nobody takes it
    heard: list[Delivery] = []
    far.sandbox.deliver(taking(heard))
    assert await queued(far) == 0  # read only after twenty
    far.clock.pass_(seconds=20)
    assert await queued(far) == 1
    far.sandbox.deliver(taking(heard))
    assert (await queued(far), len(heard)) == (0, 2)
