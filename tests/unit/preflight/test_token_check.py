"""A token that may not look itself up was not looked at: that says nothing of the number."""

from typing import Any

import pytest

from migration.clients.graph_models import TokenFacts
from migration.errors import CredentialsRefused, Rejected
from migration.preflight.check import Verdict
from migration.preflight.checks.token import TokenCheck
from migration.scrubbing.texts import as_safe
from tests.harness.fake_clients import FakeGraph
from tests.harness.hand_made_number import APP_ID, make_number


async def verdict_of(answer: Any) -> Verdict:
    result = await TokenCheck().run(make_number(FakeGraph(debug_token=answer)))
    assert result is not None
    return result.verdict


@pytest.mark.parametrize("error_code", [3, 10, 100, 200])
async def test_a_token_that_may_not_look_itself_up(error_code: int) -> None:
    refused = CredentialsRefused("no", error_code, as_safe("not allowed"))
    assert await verdict_of(refused) is Verdict.NOT_LOOKED
    assert await verdict_of(Rejected("no", error_code, as_safe("not allowed"))) is Verdict.NOT_LOOKED


async def test_a_wrong_app_secret_is_not_called_the_token_s() -> None:
    refused = CredentialsRefused("no", 100, as_safe("Invalid appsecret_proof"))
    result = await TokenCheck().run(make_number(FakeGraph(debug_token=refused)))
    assert result is not None
    assert result.message.startswith("Graph refuses the app secret: ")
    result = await TokenCheck().run(make_number(FakeGraph(debug_token=Rejected("no", 100, as_safe("a parameter")))))
    assert result is not None
    assert result.message.startswith("the token may not look itself up: ")


async def test_a_token_that_is_refused_without_a_code_is_refused() -> None:
    with pytest.raises(CredentialsRefused):
        await verdict_of(CredentialsRefused("no", None, as_safe("not accepted")))


async def test_an_answer_that_does_not_say_whether_it_is_valid() -> None:
    assert await verdict_of(TokenFacts()) is Verdict.NOT_LOOKED


async def test_a_token_that_graph_does_not_accept_has_failed() -> None:
    assert await verdict_of(TokenFacts(is_valid=False)) is Verdict.FAIL
    with pytest.raises(CredentialsRefused):
        await verdict_of(CredentialsRefused("no", 190, as_safe("expired")))


async def test_a_token_that_is_accepted_passes() -> None:
    scopes = ("whatsapp_business_management", "whatsapp_business_messaging")
    assert await verdict_of(TokenFacts(app_id=APP_ID, is_valid=True, scopes=scopes)) is Verdict.PASS
