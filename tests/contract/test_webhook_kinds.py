"""Our receiver understands every kind of webhook that the sandbox can send, in the envelope in which it sends it."""

import json

from migration.web.webhooks.envelope import Sender, read_envelope
from sandbox.app import Sandbox
from sandbox.world.sent_webhooks import FIELDS, send
from sandbox.world.webhooks import Address, Update, envelope


def test_receiver_reads_every_kind_of_webhook() -> None:
    sandbox = Sandbox.build(numbers=1, seed=5, kinds=["on_cloud"])
    world = sandbox.world
    [number] = world.numbers.values()
    for field, (events, _) in FIELDS.items():
        for event in events:
            change = {"field": field, "value": send(world, number, {"field": field, "event": event})["value"]}
            update = Update(Address("https://partner.example/w"), number.waba_id, change, "1", 1_800_000_000)
            [read] = read_envelope(json.dumps(envelope([update])).encode(), Sender("main", "1"))
            assert (read.field, read.waba_id) == (field, number.waba_id)
            assert read.facts, (field, event)
