"""What a response of Graph means: the body counts before the HTTP status, and silence is never a refusal."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.graph_errors import credentials_problem, parsed_wait
from migration.clients.rate_budget import GraphCalls
from migration.clients.usage_headers import ANYBODY, Concerned, time_to_regain_access
from migration.errors import (
    CredentialsRefused,
    Intercepted,
    MigrationError,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Transient,
)
from tests.unit.clients.graph_stub import LATER, NUMBER, WABA, always, error_body, graph_api, raising

PIN = SecretStr("123456")


class EveryCall(GraphCalls):
    """Counts no call, and knows the WABA that they are about."""

    def __init__(self, waba_id: str) -> None:
        self._waba_id = waba_id
        self.throttled: list[str] = []

    async def after_write(self, path: str, headers: Mapping[str, str], error: Throttled) -> None:
        self.throttled.append(path)

    async def before(self, path: str) -> None: ...

    def concerned(self, path: str) -> Concerned:
        return ANYBODY

    async def before_write(self, path: str) -> None: ...

    async def after(self, path: str, headers: Mapping[str, str], error: Exception | None) -> None: ...


USAGE = {"1234": [{"type": "x", "estimated_time_to_regain_access": 7}, {"estimated_time_to_regain_access": 3}]}


async def error_of_write(status: int, body: Any, headers: dict[str, str] | None = None) -> MigrationError:
    with pytest.raises(MigrationError) as raised:
        await graph_api(always(status, body, headers)).set_pin(NUMBER, PIN, send_by=LATER)
    return raised.value


async def error_of_read(status: int, body: Any, headers: dict[str, str] | None = None) -> MigrationError:
    with pytest.raises(MigrationError) as raised:
        await graph_api(always(status, body, headers)).number(NUMBER)
    return raised.value


# (error code, HTTP status) -> class for a write, class for a read
TABLE: dict[tuple[int, int], tuple[type[MigrationError], type[MigrationError]]] = {
    (133000, 500): (Rejected, Rejected),
    (133005, 400): (Rejected, Rejected),
    (133016, 400): (Rejected, Rejected),
    (100, 400): (Rejected, Rejected),
    (3, 500): (CredentialsRefused, CredentialsRefused),
    (10, 403): (CredentialsRefused, CredentialsRefused),
    (200, 403): (CredentialsRefused, CredentialsRefused),
    (299, 403): (CredentialsRefused, CredentialsRefused),
    (131005, 403): (CredentialsRefused, CredentialsRefused),
    (104, 400): (CredentialsRefused, CredentialsRefused),
    (300, 403): (Rejected, Rejected),
    (133005, 200): (Rejected, Rejected),
    (0, 401): (CredentialsRefused, CredentialsRefused),
    (102, 401): (CredentialsRefused, CredentialsRefused),
    (190, 401): (CredentialsRefused, CredentialsRefused),
    (190, 400): (CredentialsRefused, CredentialsRefused),
    (4, 400): (Throttled, Throttled),
    (17, 400): (Throttled, Throttled),
    (32, 400): (Throttled, Throttled),
    (613, 400): (Throttled, Throttled),
    (341, 400): (Throttled, Throttled),
    (80007, 400): (Throttled, Throttled),
    (80008, 400): (Throttled, Throttled),
    (80004, 400): (Throttled, Throttled),
    (131056, 400): (Throttled, Throttled),
    (130429, 429): (Throttled, Throttled),
    (131016, 500): (Transient, Transient),
    (133004, 503): (Transient, Transient),
    (1, 500): (OutcomeUnknown, Transient),
    (2, 503): (OutcomeUnknown, Transient),
    (131000, 500): (OutcomeUnknown, Transient),
}


@pytest.mark.parametrize(("error_code", "status"), TABLE)
async def test_an_error_code_means_the_same_with_every_http_status(error_code: int, status: int) -> None:
    of_a_write, of_a_read = TABLE[error_code, status]
    assert type(await error_of_write(status, error_body(error_code))) is of_a_write
    assert type(await error_of_read(status, error_body(error_code))) is of_a_read


@pytest.mark.parametrize(("status", "kind"), [(401, CredentialsRefused), (429, Throttled)])
async def test_the_status_counts_where_an_error_has_no_code(status: int, kind: type[MigrationError]) -> None:
    body = {"error": {"message": "no"}}
    assert type(await error_of_write(status, body)) is kind
    assert type(await error_of_read(status, body)) is kind


@pytest.mark.parametrize(("status", "refusal"), [(401, CredentialsRefused), (403, Rejected)])
@pytest.mark.parametrize("body", ["", "<html>no</html>", "{}", '{"message": "Unauthorized"}'])
@pytest.mark.parametrize(
    ("header", "of_graph"),
    [
        ({}, False),
        ({"www-authenticate": 'Basic realm="proxy"'}, False),
        ({"www-authenticate": 'OAuth "Facebook Platform" "invalid_token"'}, True),
        ({"x-fb-trace-id": "Abc"}, True),
        ({"facebook-api-version": "v25.0"}, True),
    ],
    ids=["nobody's", "a proxy's", "Graph's challenge", "Graph's trace", "Graph's version"],
)
async def test_a_bare_refusal_is_one_only_where_graph_itself_answered(
    status: int, refusal: type[MigrationError], body: str, header: dict[str, str], *, of_graph: bool
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=body, headers=header)

    with pytest.raises(MigrationError) as read:
        await graph_api(answer).number(NUMBER)
    with pytest.raises(MigrationError) as written:
        await graph_api(answer).set_pin(NUMBER, PIN, send_by=LATER)
    kinds = (type(read.value), type(written.value))
    assert kinds == ((refusal, refusal) if of_graph else (Intercepted, OutcomeUnknown))


def sees(*, waba: httpx.Response) -> GraphApi:
    """A client of which Graph shows no number; how it answers for the number's WABA."""

    def answer(request: httpx.Request) -> httpx.Response:
        hidden = httpx.Response(400, json=error_body(100, error_subcode=33))
        return waba if request.url.path.endswith(f"/{WABA}") else hidden

    return graph_api(answer).counted_by(EveryCall(WABA))


@pytest.mark.parametrize(
    ("waba", "kind"),
    [
        (httpx.Response(200, json={"id": WABA}), Rejected),
        (httpx.Response(400, json=error_body(100, error_subcode=33)), CredentialsRefused),
        (httpx.Response(403, json=error_body(200)), CredentialsRefused),
        (httpx.Response(503), Transient),
    ],
    ids=["the number is gone", "the WABA is hidden too", "the WABA is refused", "the WABA cannot be read"],
)
async def test_a_number_that_is_not_shown_is_told_from_a_token_that_may_not_see_it(
    waba: httpx.Response, kind: type[MigrationError]
) -> None:
    with pytest.raises(MigrationError) as raised:
        await sees(waba=waba).number(NUMBER)
    assert type(raised.value) is kind
    if isinstance(raised.value, CredentialsRefused):
        assert credentials_problem(raised.value) == "a permission of the token"


async def test_error_133000_with_http_500_is_a_rejection() -> None:
    refused = await error_of_write(500, error_body(133000, error_subcode=2494, fbtrace_id="AbC"))
    assert isinstance(refused, Rejected)
    assert (refused.error_code, refused.error_subcode, refused.trace_id) == (133000, 2494, "AbC")


async def test_a_refused_token_names_graph() -> None:
    refused = await error_of_write(401, error_body(190, error_subcode=463))
    assert isinstance(refused, CredentialsRefused)
    assert (refused.refused_by, refused.error_code, refused.error_subcode) == ("graph", 190, 463)


LIMITS = {
    4: "app",
    17: "app",
    341: "app",
    32: "waba",
    613: "waba",
    80007: "waba",
    80008: "waba",
    130429: None,
    131056: None,
}


@pytest.mark.parametrize("error_code", LIMITS)
async def test_a_throttled_call_names_whose_limit_it_met(error_code: int) -> None:
    for throttled in (
        await error_of_read(400, error_body(error_code)),
        await error_of_write(400, error_body(error_code)),
    ):
        assert isinstance(throttled, Throttled)
        assert throttled.limit == LIMITS[error_code]


async def test_a_throttled_write_is_told_to_whoever_counts_calls() -> None:
    calls = EveryCall(WABA)
    with pytest.raises(Throttled):
        await graph_api(always(400, error_body(4))).counted_by(calls).set_pin(NUMBER, PIN, send_by=LATER)
    assert calls.throttled == [f"/{NUMBER}"]


@pytest.mark.parametrize("error_code", [4, 80007])
async def test_a_throttle_lasts_as_long_as_the_usage_header_names(error_code: int) -> None:
    throttled = await error_of_read(400, error_body(error_code), {"X-Business-Use-Case-Usage": json.dumps(USAGE)})
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == timedelta(minutes=7)
    assert throttled.answered


async def test_a_throttle_without_a_usage_header_lasts_30_seconds() -> None:
    throttled = await error_of_read(400, error_body(4))
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(("minutes", "wait"), [(1440, timedelta(days=1)), (1800, timedelta(days=1)), (20_000, None)])
def test_a_throttle_of_days_is_looked_at_again_after_one(minutes: int, wait: timedelta | None) -> None:
    usage = json.dumps({"1": [{"estimated_time_to_regain_access": minutes}]})
    assert time_to_regain_access({"x-business-use-case-usage": usage}) == wait


@pytest.mark.parametrize("header", ["", "no json", "null", "[]", "7", '{"1": 5}', '{"1": [5]}', '{"1": [{}]}'])
def test_a_malformed_usage_header_gives_no_wait(header: str) -> None:
    assert time_to_regain_access({"x-business-use-case-usage": header}) is None


async def test_http_429_without_a_body_is_a_throttle() -> None:
    throttled = await error_of_write(429, "", {"X-Business-Use-Case-Usage": json.dumps(USAGE)})
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == timedelta(minutes=7)


@pytest.mark.parametrize(
    ("data", "details"),
    [
        ({"messaging_product": "whatsapp", "details": "The PIN is wrong."}, "The PIN is wrong."),
        ('{"messaging_product": "whatsapp", "details": "The PIN is wrong."}', "The PIN is wrong."),
        ("not json at all", "(#133005) it says not json at all"),
        (None, "(#133005) it says"),
        ([], "(#133005) it says"),
    ],
)
async def test_error_data_is_read_from_an_object_and_from_text(data: Any, details: str) -> None:
    refused = await error_of_write(400, error_body(133005, error_data=data))
    assert isinstance(refused, Rejected)
    assert refused.details == details


async def test_details_have_masked_phone_numbers() -> None:
    refused = await error_of_write(400, error_body(100, error_data={"details": "number +15550104321 is not yours"}))
    assert "+15550104321" not in repr(refused)
    assert "4321" in str(refused)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Please wait 5 minutes", timedelta(minutes=5)),
        ("try in 1 hour or 90 seconds", timedelta(hours=1)),
        ("blocked for 2 days", timedelta(days=2)),
        ("later", None),
    ],
)
def test_a_wait_is_read_from_the_text(text: str, wait: timedelta | None) -> None:
    assert parsed_wait(text) == wait


# -- responses without an error code


@pytest.mark.parametrize(
    "body",
    ["<html>Bad Gateway</html>", '{"error": {"code": 1', "", "null", "[]", '"text"', '{"error": "text"}'],
)
@pytest.mark.parametrize("status", [200, 400, 404, 500, 502, 503])
async def test_an_unreadable_response_to_a_write_leaves_the_outcome_unknown(status: int, body: str) -> None:
    assert type(await error_of_write(status, body)) is OutcomeUnknown


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", '{"error": {"code": 1', ""])
@pytest.mark.parametrize("status", [200, 502])
async def test_an_unreadable_response_to_a_read_is_transient(status: int, body: str) -> None:
    assert type(await error_of_read(status, body)) is Transient


@pytest.mark.parametrize("success", [True, "true", "True"])
async def test_success_is_a_boolean_or_text(success: Any) -> None:
    await graph_api(always(200, {"success": success})).set_pin(NUMBER, PIN, send_by=LATER)


@pytest.mark.parametrize("success", [False, "false"])
async def test_success_false_is_a_refusal(success: Any) -> None:
    assert type(await error_of_write(200, {"success": success})) is Rejected


@pytest.mark.parametrize("body", [{}, {"success": None}, {"success": "perhaps"}, {"id": "1"}])
async def test_a_response_without_success_leaves_the_outcome_unknown(body: Any) -> None:
    assert type(await error_of_write(200, body)) is OutcomeUnknown


# -- no response


@pytest.mark.parametrize(
    "exc", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError]
)
async def test_a_write_without_a_response_leaves_the_outcome_unknown(exc: type[httpx.TransportError]) -> None:
    with pytest.raises(OutcomeUnknown):
        await graph_api(raising(exc)).set_pin(NUMBER, PIN, send_by=LATER)


@pytest.mark.parametrize("exc", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_write_that_was_never_sent_is_transient_and_not_counted(exc: type[httpx.TransportError]) -> None:
    with pytest.raises(Transient) as raised:
        await graph_api(raising(exc)).register(NUMBER, PIN, None, send_by=LATER)
    assert not raised.value.answered


@pytest.mark.parametrize("exc", [httpx.ReadTimeout, httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError])
async def test_a_read_without_a_response_is_transient(exc: type[httpx.TransportError]) -> None:
    with pytest.raises(Transient):
        await graph_api(raising(exc)).number(NUMBER)


@pytest.mark.parametrize(
    ("message", "credentials"),
    [
        ("Invalid appsecret_proof provided in the API argument", True),
        ("(#100) App Secret Proof is required", True),
        ("API calls from the server require an appsecret_proof argument", True),
        ("Invalid parameter", False),
        ("(#100) Missing Permission", False),
    ],
)
async def test_a_wrong_app_secret_is_told_by_its_text(message: str, credentials: bool) -> None:
    body = {"error": {"code": 100, "message": message, "type": "GraphMethodException"}}
    for error in (await error_of_write(400, body), await error_of_read(400, body)):
        assert isinstance(error, CredentialsRefused) is credentials


@pytest.mark.parametrize(
    ("status", "read", "written"),
    [
        (401, Intercepted, OutcomeUnknown),
        (403, Intercepted, OutcomeUnknown),
        (407, Intercepted, OutcomeUnknown),
        (429, Throttled, Throttled),
        (502, Transient, OutcomeUnknown),
    ],
)
async def test_a_code_that_only_repeats_the_status_is_a_gateway_s(
    status: int, read: type[MigrationError], written: type[MigrationError]
) -> None:
    body = {"error": {"code": status, "message": "Request had invalid authentication credentials"}}
    assert type(await error_of_read(status, body)) is read
    assert type(await error_of_write(status, body)) is written


async def test_a_proxy_that_asks_for_its_own_login_is_not_graph() -> None:
    assert type(await error_of_read(407, {})) is Intercepted
    assert type(await error_of_read(407, {}, {"x-fb-trace-id": "Abc"})) is Intercepted


TERMS = "The WhatsApp Business Platform Terms of Service have not been accepted."


@pytest.mark.parametrize("error_code", [3, 10, 200, 131005, 133004, 131016, 1, 2, 131000, 100])
async def test_terms_are_told_by_their_word_under_any_code(error_code: int) -> None:
    """They are the customer's to accept: no token is at fault, and no service is down."""
    body = {"error": {"message": "(#0) no", "code": error_code, "error_data": {"details": TERMS}}}
    for error in (await error_of_write(500, body), await error_of_read(400, body)):
        assert type(error) is Rejected
        assert (error.error_code, "Terms of Service" in error.details) == (error_code, True)


async def test_a_token_that_is_not_accepted_stays_one_whatever_its_text_says() -> None:
    body = {"error": {"message": "See the terms of the app", "code": 190}}
    assert type(await error_of_read(401, body)) is CredentialsRefused


@pytest.mark.parametrize(
    ("kind", "status", "refusal"), [("OAuthException", 400, CredentialsRefused), ("Other", 400, Rejected)]
)
async def test_an_error_without_a_code_is_the_token_s_by_its_type(
    kind: str, status: int, refusal: type[MigrationError]
) -> None:
    body = {"error": {"message": "no", "type": kind}}
    assert type(await error_of_read(status, body)) is refusal
    assert type(await error_of_write(status, body)) is refusal
