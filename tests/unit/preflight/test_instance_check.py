"""An instance that could not be looked at was not looked at: that says nothing of the number."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from migration.preflight.check import Verdict
from migration.preflight.checks.instance import InstanceCheck
from tests.harness.hand_made_number import INSTANCE, make_number
from tests.unit.clients.webapp_stub import Webapp, onprem

SILENT = httpx.ReadTimeout("silent")
ANSWERS = {
    "500": httpx.Response(500),
    "503": httpx.Response(503),
    "429": httpx.Response(429, headers={"Retry-After": "1e999"}),
    "a page": httpx.Response(200, text="<html>log in</html>"),
    "silence": SILENT,
    "a broken body": httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")),
}


async def verdict_of(answer: Callable[[httpx.Request], httpx.Response], itinerary: str) -> Verdict:
    number = replace(make_number(itinerary=itinerary, instance=INSTANCE), onprem=onprem(answer))
    result = await InstanceCheck().run(number)
    assert result is not None
    assert result.runbook == "runbooks/far-side-down.md"
    return result.verdict


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("itinerary", ["WITH_BACKUP", "CODE_FIRST"])
async def test_health_that_cannot_be_read(answer: httpx.Response | Exception, itinerary: str) -> None:
    assert await verdict_of(Webapp({"/v1/health": [answer]}), itinerary) is Verdict.NOT_LOOKED


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_log_in_that_is_not_answered(answer: httpx.Response | Exception) -> None:
    def log_in(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await verdict_of(log_in, "WITH_BACKUP") is Verdict.NOT_LOOKED


async def test_an_itinerary_that_does_without_the_instance_would_succeed() -> None:
    assert await verdict_of(Webapp({"/v1/health": [SILENT]}), "CODE_AFTER") is Verdict.WARN


async def test_the_client_of_another_number_fails() -> None:
    webapp = Webapp(
        {
            "/v1/health": [{"health": {"gateway_status": "connected"}}],
            "/v1/support": [{"support": {"debug_info": "15550109876"}}],
        }
    )
    client = onprem(webapp, e164="+15550100001", others=["+15550109876"])
    result = await InstanceCheck().run(replace(make_number(instance=INSTANCE), onprem=client))
    assert result is not None
    assert (result.verdict, result.runbook) == (Verdict.FAIL, "runbooks/onprem-login.md")
