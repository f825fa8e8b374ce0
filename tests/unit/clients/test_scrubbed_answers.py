"""What Graph, a client, a hook and a command quote of what they were sent does not leave the clients."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.commands import NamedCommand, NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.graph_models import Backup
from migration.clients.http import HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.traffic_hooks import HookVetoed, TrafficHooks
from migration.clock import SystemClock
from migration.errors import CredentialsRefused, MigrationError, Rejected
from migration.scrubbing.texts import SHOWN

TOKEN, APP_SECRET = SecretStr("EAAGm0PX4ZCpsBAKZCbx9QZD"), SecretStr("app-secret-5521fe")
PIN, CODE = SecretStr("482913"), SecretStr("905417")
BACKUP = Backup(data=SecretStr("Q2lwaGVyKzEvMg=="), password=SecretStr("bkp Zq8?31xW"))
PASSWORD = SecretStr("Tr0ub4dor&3/horse~x")
HOOK_SECRET = SecretStr("whsec_7Kd81+Lm/20==")
NUMBER, PHONE_NUMBER_ID = "+34657786453", "106540352242922"
SEND_BY = float("inf")


def echo(request: httpx.Request) -> str:
    """Everything that was sent, and a number."""
    headers = " ".join(f"{name}: {value}" for name, value in request.headers.items())
    return f"{request.url} {headers} {request.content.decode()} 3 465 778-6453"


def client(answer) -> HttpClient:
    return HttpClient(httpx.MockTransport(answer), SystemClock())


def assert_clean(exc: MigrationError) -> None:
    everything = f"{exc} {exc!r} {exc.args}"
    for secret in (TOKEN, APP_SECRET, PIN, CODE, BACKUP.data, BACKUP.password, PASSWORD, HOOK_SECRET):
        assert secret.get_secret_value() not in everything
    assert "appsecret_proof=•••" in everything or "appsecret_proof" not in everything
    assert "657786453" not in "".join(filter(str.isdigit, everything.replace(PHONE_NUMBER_ID, "")))
    assert all(len(str(arg)) <= 2 * SHOWN for arg in exc.args)


def graph_that_echoes(error: Mapping[str, Any]) -> GraphApi:
    def answer(request: httpx.Request) -> httpx.Response:
        said = {name: echo(request) if value is None else value for name, value in error.items()}
        return httpx.Response(400, json={"error": said})

    return GraphApi(client(answer), lambda: client(answer), "https://graph/v25.0", TOKEN, APP_SECRET)


ERRORS: list[Mapping[str, Any]] = [
    {"code": 190, "message": None},
    {"code": 133005, "error_user_msg": None},
    {"code": 131016, "message": None},
    {"code": 4, "message": None},
    {"code": 1, "message": None},
    {"code": 100, "message": "x", "error_data": {"details": "as sent: " + NUMBER}},
    {"code": 100, "message": None, "error_data": "no json"},
    {"code": 100, "message": "x", "fbtrace_id": NUMBER},
    {"code": 100, "message": "x", "fbtrace_id": TOKEN.get_secret_value()},
]


@pytest.mark.parametrize("error", ERRORS)
async def test_graph_that_quotes_what_it_was_sent(error: Mapping[str, Any]) -> None:
    graph = graph_that_echoes(error)
    for call in (
        graph.number(PHONE_NUMBER_ID),
        graph.register(PHONE_NUMBER_ID, PIN, BACKUP, send_by=SEND_BY),
        graph.verify_code(PHONE_NUMBER_ID, CODE, send_by=SEND_BY),
        graph.set_pin(PHONE_NUMBER_ID, PIN, send_by=SEND_BY),
        graph.debug_token(),
    ):
        with pytest.raises(MigrationError) as raised:
            await call
        assert_clean(raised.value)


async def test_graph_that_quotes_the_token_where_a_field_stays_whole() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": PHONE_NUMBER_ID, "verified_name": f"Shop {TOKEN.get_secret_value()}"})

    graph = GraphApi(client(answer), lambda: client(answer), "https://graph/v25.0", TOKEN, APP_SECRET)
    number = await graph.number(PHONE_NUMBER_ID)
    assert number.verified_name == "Shop •••"
    assert number.id == PHONE_NUMBER_ID


async def test_graph_whose_health_quotes_secrets() -> None:
    error = {"error_description": f"{TOKEN.get_secret_value()} of wa.me/34657786453"}
    health = {"entities": [{"entity_type": "APP", "can_send_message": "BLOCKED", "errors": [error]}]}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"health_status": health})

    graph = GraphApi(client(answer), lambda: client(answer), "https://graph/v25.0", TOKEN, APP_SECRET)
    assert (await graph.health(PHONE_NUMBER_ID)).why == "APP: ••• of wa.me/3465•••6453"


@pytest.mark.parametrize("at_login", [True, False])
@pytest.mark.parametrize("code", [1005, 1015, 1011, 1000, 1024])
async def test_a_client_that_quotes_what_it_was_sent(code: int, at_login: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/login") and not at_login:
            return httpx.Response(200, json={"users": [{"token": "Xq7Lw0pT-81723645"}]})
        return httpx.Response(400, json={"errors": [{"code": code, "title": "x", "details": echo(request)}]})

    onprem = OnPremApi(client(answer), "https://wa", "admin", PASSWORD, LoginSession(), "client-1")
    for call in (
        onprem.health(),
        onprem.backup(BACKUP.password),
        onprem.set_two_step(PIN, send_by=SEND_BY),
        onprem.restore(BACKUP.data, BACKUP.password, send_by=SEND_BY),
        onprem.verify_code(CODE, send_by=SEND_BY),
        onprem.request_code("34", "657786453", "sms", "cert-91238123", PIN, send_by=SEND_BY),
    ):
        with pytest.raises(MigrationError) as raised:
            await call
        assert_clean(raised.value)
        assert "Xq7Lw0pT" not in f"{raised.value!r}"
        assert "cert-9123" not in f"{raised.value!r}"


async def test_a_client_whose_health_quotes_secrets() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/login"):
            return httpx.Response(200, json={"users": [{"token": "Xq7Lw0pT-81723645"}]})
        return httpx.Response(200, json={"health": {"gateway_status": echo(request)}})

    reading = await OnPremApi(client(answer), "https://wa", "admin", PASSWORD, LoginSession(), "client-1").reading()
    assert "Xq7Lw0pT" not in reading.detail
    assert "6453" not in reading.detail or "•••6453" in reading.detail


async def test_a_login_that_is_quoted_letter_by_letter() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"].removeprefix("Basic "))
        return httpx.Response(400, json={"errors": [{"code": 1008, "details": " ".join(sent[-1])}]})

    with pytest.raises(Rejected) as raised:
        await OnPremApi(client(answer), "https://wa", "admin", PASSWORD, LoginSession(), "client-1").login()
    assert sent[-1].rstrip("=") not in f"{raised.value!r}".replace(" ", "")


def hooks(answer) -> TrafficHooks:
    return TrafficHooks(client(answer), "https://hook/path", HOOK_SECRET)


async def test_a_hook_that_quotes_its_secret_in_a_veto() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409, json={"reason": f"{HOOK_SECRET.get_secret_value()} {echo(request)}"})

    vetoed = await hooks(answer).announce({"e164": NUMBER}, "1:pause:1", send_by=SEND_BY)
    assert isinstance(vetoed, HookVetoed)
    assert HOOK_SECRET.get_secret_value() not in vetoed.reason
    assert "657786453" not in "".join(filter(str.isdigit, vetoed.reason))
    assert "sha256=•••" in vetoed.reason or "sha256" not in vetoed.reason


@pytest.mark.parametrize("ask", [HOOK_SECRET.get_secret_value(), "whsec_7Kd81%2BLm%2F20%3D%3D"])
async def test_a_hook_that_wants_to_be_asked_at_an_address_with_its_secret_is_refused(ask: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, json={"ask": f"https://hook/{ask}"})

    with pytest.raises(Rejected) as raised:
        await hooks(answer).announce({"e164": NUMBER}, "1:pause:1", send_by=SEND_BY)
    assert "whsec" not in f"{raised.value!r}"


@pytest.mark.parametrize("option", ["--password={}", "--token {}", "-p {}", "SECRET={}"])
async def test_a_command_that_quotes_its_arguments(option: str) -> None:
    argv = ("sh", "-c", 'echo "usage: $*" "+34 657 786 453" wa-34657786453-1 >&2; exit 2', "x")
    command = NamedCommand(argv=(*argv, *option.format("hunter2-and-more").split()), timeout_s=30)
    result = await NamedCommands({"stop": command}).run("stop", {}, send_by=SEND_BY)
    assert "hunter2" not in result.detail
    assert "657786453" not in "".join(filter(str.isdigit, result.detail))


async def test_a_body_that_quotes_secrets_as_numbers_and_keys() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        sent = json.loads(request.content)
        said = {"code": 100, "message": {sent["pin"]: int(sent["pin"]), NUMBER: [34657786453]}}
        return httpx.Response(400, json={"error": said})

    graph = GraphApi(client(answer), lambda: client(answer), "https://graph/v25.0", TOKEN, APP_SECRET)
    with pytest.raises(Rejected) as raised:
        await graph.set_pin(PHONE_NUMBER_ID, PIN, send_by=SEND_BY)
    assert_clean(raised.value)


async def test_a_refused_token_is_quoted_without_itself() -> None:
    graph = graph_that_echoes({"code": 190, "message": f"Malformed access token {TOKEN.get_secret_value()}"})
    with pytest.raises(CredentialsRefused) as raised:
        await graph.number(PHONE_NUMBER_ID)
    assert raised.value.details == "Malformed access token •••"
