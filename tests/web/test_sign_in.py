"""Who may see a page: a named person, by the printed link, a named token, or the header of a named proxy."""

from datetime import timedelta

import httpx
import pytest
from starlette.requests import Request

from tests.web.conftest import HERE, MakeWeb, Web

TOKEN = "anna-has-a-long-token-1"


async def test_the_printed_link_gives_a_session_and_leads_to_the_first_page(web: Web) -> None:
    browser = web.client()
    answer = await browser.get(web.site.link.path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await browser.get("/")).status_code == 200


async def test_the_link_is_dead_some_time_after_its_first_use(web: Web) -> None:
    path = web.site.link.path
    await web.client().get(path)
    web.harness.clock.advance(901)
    late = web.client()
    assert (await late.get(path)).status_code == 403
    assert (await late.get("/", follow_redirects=True)).url.path == "/sign-in"


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "198.51.100.7"}, {"forwarded": "for=198.51.100.7"}, {}])
async def test_the_link_is_for_this_machine_alone(web: Web, headers: dict[str, str]) -> None:
    sender = ("127.0.0.1", 1) if headers else ("198.51.100.7", 1)
    assert (await web.client(sender, **headers).get(web.site.link.path)).status_code == 403


async def test_another_or_no_link_signs_nobody_in(web: Web) -> None:
    for link in ("", "x", "%00", "%ff", web.site.link.path[-30:] + "a"):
        assert (await web.client().get(f"/sign-in?link={link}")).status_code == 403


@pytest.mark.parametrize("change", ["shorter", "other body", "not ascii", "long", "empty"])
async def test_a_changed_cookie_is_nobody(web: Web, change: str) -> None:
    browser = await web.signed_in()
    name = web.site.sessions.cookie
    value = browser.cookies[name]
    made = {"shorter": value[:-1], "other body": "e30" + value[3:], "not ascii": "%C3%A4.x", "long": value * 90}
    answer = await web.client(cookie=f"{name}={made.get(change, '')}").get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_a_session_ends_by_itself_and_by_its_person(web: Web) -> None:
    browser = await web.signed_in()
    cookie = browser.cookies[web.site.sessions.cookie]
    again = web.client(cookie=f"{web.site.sessions.cookie}={cookie}")
    assert (await again.get("/")).status_code == 200
    assert (await web.send(browser, "/", "/sign-out")).headers["location"] == "/sign-in"
    assert (await again.get("/")).status_code == 303, "the cookie that somebody copied counts no more"
    other = await web.signed_in()
    web.harness.clock.advance(timedelta(hours=12, seconds=1).total_seconds())
    assert (await other.get("/")).status_code == 303


async def test_a_named_token_signs_its_person_in(make_web: MakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNAS_TOKEN", TOKEN)
    web = await make_web(admin='\n[web.tokens]\nanna = { env = "ANNAS_TOKEN" }\n')
    far = web.client(("198.51.100.7", 1))
    assert (await far.post("/sign-in", data={"token": "wrong"})).status_code == 403
    assert (await far.post("/sign-in", data={"token": TOKEN})).status_code == 303
    assert "anna" in (await far.get("/")).text
    by_header = web.client(("198.51.100.7", 1), authorization=f"Bearer {TOKEN}")
    assert (await by_header.get("/")).status_code == 200
    assert (await web.client(authorization="Bearer other").get("/")).status_code == 401


async def test_a_token_cannot_be_guessed_at_speed(web: Web) -> None:
    browser = web.client()
    answers = [(await browser.post("/sign-in", data={"token": f"guess {turn}"})).status_code for turn in range(12)]
    assert answers[-1] == 429
    assert answers[0] == 403


async def test_a_proxy_names_the_person_and_nobody_else_can(make_web: MakeWeb) -> None:
    web = await make_web(admin='\n[web]\nproxy_header = "X-Remote-User"\nproxy_addresses = ["10.0.0.1"]\n')
    behind = web.client(("10.0.0.1", 1), **{"x-remote-user": "bea <b>"})
    page = (await behind.get("/")).text
    assert "bea &lt;b&gt;" in page
    beside = web.client(("10.0.0.2", 1), **{"x-remote-user": "bea"})
    assert (await beside.get("/")).status_code == 303
    twice = web.client(("10.0.0.1", 1))
    answer = await twice.get("/", headers=[("x-remote-user", "eve"), ("x-remote-user", "bea")])
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        *({"origin": origin} for origin in ("https://evil.example", "null", HERE + "1", "http://[evil", "")),
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_form_of_another_site_changes_nothing(web: Web, headers: dict[str, str]) -> None:
    browser = await web.signed_in()
    mark = {"mark": web.site.operator(_request(web, browser)).form_mark}
    assert (await browser.post("/sign-out", data=mark, headers=headers)).status_code == 403
    assert (await browser.get("/")).status_code == 200


async def test_a_form_without_the_mark_of_its_session_changes_nothing(web: Web) -> None:
    one, other = await web.signed_in(), await web.signed_in()
    for mark in ("", "x", web.site.operator(_request(web, other)).form_mark):
        assert (await one.post("/sign-out", data={"mark": mark})).status_code == 403
    assert (await one.get("/")).status_code == 200


def _request(web: Web, browser: httpx.AsyncClient) -> Request:
    cookie = f"{web.site.sessions.cookie}={browser.cookies[web.site.sessions.cookie]}"
    headers = [(b"cookie", cookie.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})
