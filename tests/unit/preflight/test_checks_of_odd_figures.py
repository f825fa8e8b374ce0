"""What a far side's odd figure means to a check: unknown, so a person looks."""

from dataclasses import replace

import pytest

from migration.preflight.check import Verdict
from migration.preflight.checks.token import TokenCheck
from tests.harness.hand_made_number import APP_ID, make_number, own_readings
from tests.unit.clients.graph_stub import always, graph_api


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"expires_at": "1e999"}, "when the token ends cannot be read"),
        ({"expires_at": 253402300800}, "when the token ends cannot be read"),
        ({"scopes": "whatsapp_business_management"}, "what the token may do cannot be read"),
        ({"scopes": [1, 2]}, "what the token may do cannot be read"),
    ],
)
async def test_a_token_whose_facts_cannot_be_read_is_not_passed(facts: dict[str, object], message: str) -> None:
    body = {"app_id": APP_ID, "is_valid": True} | facts
    readings = own_readings(graph_api(always(200, {"data": body})))
    result = await TokenCheck().run(replace(make_number(), shared=readings))
    assert result is not None
    assert (result.verdict, result.message) == (Verdict.WARN, message)
