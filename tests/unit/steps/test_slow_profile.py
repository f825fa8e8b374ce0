"""A profile is put back in one pass also where Graph takes seconds for each call, and where it refuses a text."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from migration.clients.graph import GraphApi
from migration.clients.http import HttpClient
from migration.clients.profile_picture import Picture
from migration.clients.transports import DeadlineTransport
from migration.engine.step_run import SEND_WITHIN
from migration.steps.outcomes import Evidence
from migration.steps.restore_profile import RestoreProfile
from tests.harness.fake_clients import FakeSecrets
from tests.harness.hand_made_number import make_intent
from tests.harness.virtual_time import VirtualClock, run_virtually
from tests.unit.steps.test_longest_calls import SECRET, number_at

TEXTS = {
    "about": "Open",
    "address": "Main Street 1",
    "description": "Bread",
    "email": "x@",
    "websites": ["https://a.example"],
}
PICTURE = Picture(b"\xff\xd8\xff\xe0abc", "image/jpeg")


class SlowGraph:
    def __init__(self, seconds: float) -> None:
        self.seconds, self.profile = seconds, dict[str, Any]()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.seconds)
        if request.url.path.endswith("/uploads"):
            return httpx.Response(200, json={"id": "upload:1"})
        if "upload:" in request.url.path:
            return httpx.Response(200, json={"h": "4::handle"})
        body = json.loads(request.content)
        if "email" in body:
            error = {"code": 100, "message": "(#100) Param email is not a valid email", "fbtrace_id": "A"}
            return httpx.Response(400, json={"error": error})
        self.profile |= body
        return httpx.Response(200, json={"success": True})


@pytest.mark.parametrize("texts", [TEXTS, {}], ids=["texts", "a picture alone"])
def test_what_meta_takes_is_put_back_in_one_pass(texts: dict[str, Any]) -> None:
    graph = SlowGraph(6.0)

    async def work(clock: VirtualClock) -> tuple[Evidence, float]:
        secrets = FakeSecrets(picture=PICTURE.sealed_text().get_secret_value())

        def http() -> HttpClient:
            return HttpClient(DeadlineTransport(httpx.MockTransport(graph.answer), clock.boot_time), clock)

        number = number_at(graph.answer, clock, logged_in=True)
        number = replace(number, secrets=secrets, cloud=GraphApi(http(), http, "https://graph.test", SECRET))
        began = clock.boot_time()
        intent = make_intent({"changes": texts | {"picture": PICTURE.as_facts()}})
        intent = replace(intent, send_by=began + SEND_WITHIN.total_seconds())
        evidence = await RestoreProfile().apply(number, intent)
        return evidence, clock.boot_time() - began

    evidence, took = run_virtually(work)
    assert evidence.facts["changed"] == sorted({*texts, "picture"} - {"email"})
    assert list(evidence.facts.get("not_carried", {})) == (["email"] if texts else [])
    assert graph.profile.get("description") == texts.get("description")
    assert graph.profile["profile_picture_handle"] == "4::handle"
    assert took <= RestoreProfile.contract.longest_call.total_seconds()
