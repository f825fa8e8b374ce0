"""What stands before every page: hosts, headers, methods, paths, bodies, and a database that is away."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.types import Receive, Scope, Send

from migration.web.limits import Limiter, Rate
from migration.web.operators import operators_site
from tests.web.conftest import HERE, Web


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "127.0.0.1@evil.example"])
async def test_an_unknown_host_gets_no_page(web: Web, host: str) -> None:
    answer = await web.client(host=host).get("/sign-in")
    assert answer.status_code == 400
    assert "not known here" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:8451", "[::1]:8451"])
async def test_this_machine_is_known_by_its_names(web: Web, host: str) -> None:
    assert (await web.client(host=host).get("/sign-in")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/static/pages.css", "/metrics"])
async def test_each_answer_has_the_headers_of_a_careful_page(web: Web, path: str) -> None:
    headers = (await web.client().get(path)).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("public, max-age=3600" if "static" in path else "no-store")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/static/..%2fsite.py",
        "/static/",
        "/%00",
        "/%ff",
        "/%2f%2fevil/",
        pytest.param(f"/waves/{'1' * 5000}", id="a wave of 5,000 digits"),
        pytest.param(f"/causes/{'1' * 5000}", id="a cause of 5,000 digits"),
    ],
)
async def test_no_path_leads_out(web: Web, path: str) -> None:
    answer = await web.client().get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere"])
async def test_a_question_in_bytes_that_are_no_text_gets_one_clear_answer(web: Web, path: str) -> None:
    """As `curl` sends an address that was typed in another encoding; a browser writes %E9."""
    site = operators_site(web.site, "127.0.0.1")

    async def in_latin(scope: Scope, receive: Receive, send: Send) -> None:
        await site({**scope, "query_string": "customer=Café".encode("latin-1")}, receive, send)

    transport = httpx.ASGITransport(in_latin, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        answer = await client.get(path)
    assert (answer.status_code, "no address has" in answer.text) == (400, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
async def test_other_methods_are_refused_and_named(web: Web, method: str) -> None:
    for path in ("/", "/sign-in", "/healthz"):
        answer = await web.client().request(method, path)
        assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)


async def test_head_is_get_without_a_body(web: Web) -> None:
    assert (await web.client().head("/healthz")).status_code == 200


async def test_a_form_that_is_too_long_or_no_form_is_refused(web: Web) -> None:
    browser = await web.signed_in()
    long = await browser.post("/sign-out", content=b"mark=" + b"x" * 70_000, headers=FORM)
    assert long.status_code == 413
    assert (await browser.post("/sign-out", content=b"mark=%ff%fe", headers=FORM)).status_code == 400
    assert (await browser.post("/sign-out", content=b"&".join([b"a=b"] * 90), headers=FORM)).status_code == 400
    assert (await browser.post("/sign-out", json={"mark": "x"})).status_code == 415


FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_a_database_that_is_away_is_said_and_comes_back(web: Web) -> None:
    browser = await web.signed_in()
    for page in ("/", "/healthz", "/metrics"):
        with table_away(web):
            answer = await browser.get(page)
        assert answer.status_code == 503, page
        assert "database" in answer.text
        assert "Traceback" not in answer.text
        assert (await browser.get(page)).status_code == 200


@contextmanager
def table_away(web: Web) -> Iterator[None]:
    def refuse(*_args: object) -> None:
        raise OperationalError("", {}, Exception("away"))

    engine = web.app.database.sync_engine
    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


async def test_what_is_counted(web: Web) -> None:
    text = (await web.client(host="10.1.2.3:8451").get("/metrics")).text
    assert 'cutover_numbers{status="ready"} 3' in text
    assert "cutover_dark 0" in text
    assert "cutover_unsent_messages 0" in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.split()) == 2, line
    assert all(position.e164 not in text for position in await web.app.queries.positions.board())


async def test_an_allowance_fills_again_and_is_bounded() -> None:
    now = [0.0]
    limiter = Limiter(Rate(2, 10.0), lambda: now[0], most=3)
    assert [limiter.take("a") for _ in range(3)] == [0.0, 0.0, 10.0]
    assert limiter.take("b") == 0.0
    now[0] = 10.0
    assert limiter.take("a") == 0.0
    for sender in "cdef":
        limiter.take(sender)
    assert limiter.take("a") == 0.0, "the oldest is forgotten: no memory grows without end"
    await asyncio.sleep(0)
