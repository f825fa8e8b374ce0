"""One reading of an instance: `serving`, `not_serving`, `refused`, or `unreachable`, which proves nothing."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.http import HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.onprem_reading import Reading
from migration.clock import SystemClock
from tests.unit.clients.webapp_stub import PASSWORD, Webapp, client_with_responses, error_response, onprem

HEALTH, SUPPORT = "/v1/health", "/v1/support"


def health(*statuses: str | None, single: bool = False) -> dict[str, Any]:
    if single:
        return {"health": {"gateway_status": statuses[0]}}
    return {"health": {f"node-{index}": {"gateway_status": status} for index, status in enumerate(statuses)}}


def cluster(**nodes: str) -> dict[str, Any]:
    """Node names by role, as `coreapp_1`, with their statuses."""
    told = {name: {"gateway_status": status, "role": name.rstrip("_123")} for name, status in nodes.items()}
    return {"health": told}


def caused_by(error: Exception) -> httpx.ConnectError:
    """A failed connection with the system's error as its cause, as httpx raises it."""
    failed = httpx.ConnectError("All connection attempts failed")
    failed.__cause__ = error
    return failed


STATUSES: list[tuple[dict[str, Any], Reading]] = [
    (health("connected", single=True), Reading.SERVING),
    (health("disconnected", single=True), Reading.NOT_SERVING),
    (health("unregistered", single=True), Reading.NOT_SERVING),
    (health("connecting", single=True), Reading.UNREACHABLE),
    (health("uninitialized", single=True), Reading.UNREACHABLE),
    (health("a status of tomorrow", single=True), Reading.UNREACHABLE),
    (health(None, single=True), Reading.UNREACHABLE),
    (health("connected", "disconnected"), Reading.SERVING),
    (health("disconnected", "connected"), Reading.SERVING),
    (health("disconnected", "disconnected"), Reading.NOT_SERVING),
    (health("disconnected", "unregistered"), Reading.NOT_SERVING),
    (health("disconnected", "connecting"), Reading.UNREACHABLE),
    (health("connected", "connected", "connected"), Reading.SERVING),
    (health("disconnected", None), Reading.UNREACHABLE),
    (health("connected", "unregistered"), Reading.UNREACHABLE),
    (cluster(primary_master="connected", coreapp_1="disconnected", coreapp_2="disconnected"), Reading.UNREACHABLE),
    (cluster(primary_master="connected", coreapp_1="connecting"), Reading.UNREACHABLE),
    (cluster(primary_master="connected", secondary_master="connected"), Reading.SERVING),
    (cluster(primary_master="disconnected", coreapp_1="disconnected", coreapp_2="connected"), Reading.SERVING),
    (cluster(primary_master="connected", coreapp_1="connected", coreapp_2="disconnected"), Reading.SERVING),
    ({"health": {"node-0": {"gateway_status": "disconnected"}, "node-1": None}}, Reading.UNREACHABLE),
    ({"health": {"node-0": {"gateway_status": "connected"}, "node-1": "text"}}, Reading.SERVING),
    ({"health": {}}, Reading.UNREACHABLE),
    ({"health": "text"}, Reading.UNREACHABLE),
    ({"health": {"node-0": "text"}}, Reading.UNREACHABLE),
    ({}, Reading.UNREACHABLE),
]


@pytest.mark.parametrize(("body", "kind"), STATUSES)
async def test_the_reading_of_every_gateway_status_and_topology(body: dict[str, Any], kind: Reading) -> None:
    webapp = Webapp({HEALTH: [body], SUPPORT: [{}]})
    assert (await onprem(webapp).reading()).kind is kind


@pytest.mark.parametrize(
    "response",
    [
        httpx.ReadTimeout,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.ConnectError("no route to host"),
        httpx.ConnectError("refused by a proxy"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        error_response(1014, "Coreapp is down", 500),
        error_response(1005, "Access denied", 403),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>Hello</html>"),
        httpx.Response(200, content=b'{"health": {"gateway_st'),
    ],
    ids=str,
)
async def test_any_other_response_is_unreachable(response: Any) -> None:
    client, _ = client_with_responses(HEALTH, response)
    assert (await client.reading()).kind is Reading.UNREACHABLE


@pytest.mark.parametrize(
    "closed",
    [
        caused_by(ConnectionRefusedError(111, "Connection refused")),
        caused_by(ExceptionGroup("IPv6 and IPv4", [TimeoutError(), ConnectionRefusedError(111, "Connection refused")])),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
    ],
    ids=str,
)
async def test_a_refused_connection_counts_only_when_it_is_refused_twice(closed: httpx.TransportError) -> None:
    client, webapp = client_with_responses(HEALTH, closed)
    assert (await client.reading()).kind is Reading.REFUSED
    assert webapp.requests.count("GET /v1/health") == 2
    webapp = Webapp({HEALTH: [closed, health("connected")], SUPPORT: [{}]})
    assert (await onprem(webapp).reading()).kind is Reading.SERVING


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ([{"socket_conn": "UP", "debug_info": "15550104321"}], Reading.SERVING),
        ([{"socket_conn": "UP receiving offline"}], Reading.SERVING),
        ([{"socket_conn": "UNK"}], Reading.SERVING),
        ([{"socket_conn": None, "debug_info": ""}], Reading.SERVING),
        ([{"socket_conn": "DN"}, {"socket_conn": "UP"}], Reading.SERVING),
        ([{"socket_conn": "DN"}, {"role": "coreapp"}], Reading.SERVING),
        ([{"debug_info": "unregistered"}, {"debug_info": "15550104321"}], Reading.SERVING),
        ([{"socket_conn": "DN", "debug_info": "15550104321"}], Reading.UNREACHABLE),
        ([{"socket_conn": "DN"}, {"socket_conn": "DN"}], Reading.UNREACHABLE),
        ([{"socket_conn": "UP", "debug_info": "unregistered"}], Reading.UNREACHABLE),
    ],
)
async def test_what_contradicts_health_proves_neither(nodes: list[dict[str, Any]], kind: Reading) -> None:
    support = {"support": nodes[0] if len(nodes) == 1 else {f"node-{place}": one for place, one in enumerate(nodes)}}
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [support]})
    assert (await onprem(webapp).reading()).kind is kind


OURS = "+525512345678"


@pytest.mark.parametrize(
    ("named", "of_another"),
    [
        ("525512345678", False),
        ("+52 1 55 1234 5678", False),
        (5215512345678, False),
        ("5512345678", False),  # without the code of its country
        ("2026-11-28 build 1234567", False),
        (None, False),
        ("", False),
        (["525587654321"], False),
        ("525511112222", False),  # of nobody here: it may be this one in a form that we do not know
        ("525587654321", True),
        ("+52 55 8765 4321", True),
        (525587654321, True),
        ("٥٢٥٥٨٧٦٥٤٣٢١", True),
    ],
)
@pytest.mark.parametrize("nodes", [1, 2])
async def test_a_client_of_another_number_says_nothing_about_this_one(
    named: Any, nodes: int, *, of_another: bool
) -> None:
    told = {"debug_info": named}
    support = {"support": told if nodes == 1 else {"master": {"socket_conn": "DN"}, "coreapp": told}}
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [support]})
    read = await onprem(webapp, e164=OURS, others=["+525587654321"]).reading()
    assert (read.kind, read.of_another) == (Reading.UNREACHABLE if of_another else Reading.SERVING, of_another)
    if of_another:
        assert read.detail == "it is registered for +525•••4321, which is another number"


@pytest.mark.parametrize("status", ["connected", "connecting", "disconnected", "uninitialized", "unregistered"])
async def test_a_client_of_another_number_is_not_believed_in_any_state(status: str) -> None:
    webapp = Webapp({HEALTH: [health(status)], SUPPORT: [{"support": {"debug_info": "525587654321"}}]})
    read = await onprem(webapp, e164=OURS, others=["+525587654321"]).reading()
    assert (read.kind, read.of_another) == (Reading.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("named", "names_a_number"),
    [("525512345678", True), ("5512345678", True), ("unregistered", False), (None, False), ("", False)],
)
async def test_a_client_that_does_not_serve_is_asked_whose_it_is(named: Any, names_a_number: bool) -> None:
    webapp = Webapp({HEALTH: [health("disconnected")], SUPPORT: [{"support": {"debug_info": named}}]})
    read = await onprem(webapp, e164=OURS).reading()
    assert (read.kind, read.names_a_number) == (Reading.NOT_SERVING, names_a_number)


async def test_a_refused_login_is_unreachable() -> None:
    webapp = Webapp({HEALTH: [{}]}, logins=[(401, None)])
    assert (await onprem(webapp).reading()).kind is Reading.UNREACHABLE


@pytest.mark.parametrize(
    ("support", "year"),
    [
        ({"support": {"expire_timestamp": 1767225600}}, 2026),
        ({"support": {"n1": {"expire_timestamp": 1798761600}, "n2": {"expire_timestamp": 1767225600}}}, 2026),
        ({"support": {"expire_timestamp": "2026-01-01T00:00:00"}}, 2026),
        ({"support": {"expire_timestamp": "soon"}}, None),
        ({"support": {}}, None),
        ({}, None),
    ],
)
async def test_the_expiry_is_the_earliest_of_all_nodes(support: Any, year: int | None) -> None:
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [support]})
    expires = (await onprem(webapp).reading()).expires_at
    assert (expires.year if expires else None) == year
    assert expires is None or expires.tzinfo is not None


async def test_a_reading_without_an_expiry_is_still_a_reading() -> None:
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [httpx.ReadTimeout]})
    reading = await onprem(webapp).reading()
    assert (reading.kind, reading.expires_at) == (Reading.SERVING, None)


# -- what calls to send have taken

METRIC = "api_requests_duration_ms_sum"
AS_TEXT = f"""# TYPE {METRIC} counter
{METRIC}{{node="a:1",result="ok",method="POST_v1_messages"}} 1.5e+03
{METRIC}{{method="GET_v1_health", node="a:1"}} 9
{METRIC}{{method="PUT_v1_messages__id",node="b:1"}} 2
web_uptime 77
"""


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (httpx.Response(200, text=AS_TEXT), 1502.0),
        (httpx.Response(200, text=AS_TEXT.replace("1.5e+03", "NaN")), None),
        (httpx.Response(200, text=AS_TEXT.replace("1.5e+03", "much")), None),
        (httpx.Response(200, text="web_uptime 77\n"), None),
        (httpx.Response(200, content=b"\xff\xfe"), None),
        ({"metrics": {METRIC: {"data": [{"labels": {"method": "POST_v1_messages"}, "value": "7"}]}}}, 7.0),
        ({METRIC: {"data": [{"labels": {"method": "GET_v1_health"}, "value": 7}]}}, 0.0),
        ({"metrics": {}}, None),
    ],
    ids=["as text", "NaN", "no number", "another metric", "no text", "as JSON", "other calls", "nothing"],
)
async def test_the_time_of_calls_to_send_is_read_from_json_and_from_text(answer: Any, taken: float | None) -> None:
    assert await onprem(Webapp({"/metrics": [answer]})).message_calls() == taken


# -- over real sockets


def client_at(port: int) -> tuple[OnPremApi, HttpClient]:
    http = HttpClient(httpx.AsyncHTTPTransport(), SystemClock())
    logged_in = LoginSession(SecretStr("token"), datetime.now(UTC) + timedelta(days=1))
    return OnPremApi(http, f"http://127.0.0.1:{port}", "admin", PASSWORD, logged_in, "client-1"), http


async def test_a_closed_port_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    client, http = client_at(port)
    assert (await client.reading()).kind is Reading.REFUSED
    await http.aclose()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", Reading.REFUSED),
        (b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"hea', Reading.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", Reading.UNREACHABLE),
        (b"220 smtp.test ESMTP\r\n\r\n", Reading.UNREACHABLE),
    ],
    ids=["not a byte", "half a body", "half a chunk", "another protocol"],
)
async def test_a_connection_closed_at_once_is_refused_and_a_broken_response_is_unreachable(
    sent: bytes, kind: Reading
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if sent:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        client, http = client_at(listener.sockets[0].getsockname()[1])
        assert (await client.reading()).kind is kind
        await http.aclose()
