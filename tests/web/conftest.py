"""The pages in this process, on a fleet of the sandbox, asked over ASGI by a browser-like client."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from migration.app import App
from migration.runtime.stop_request import StopRequest
from migration.web.operators import operators_site
from migration.web.public import public_site
from migration.web.site import Site, make_site
from tests.harness.in_process import Harness, MakeHarness

HERE = "http://127.0.0.1:8451"
PUBLIC = "https://codes.example.com"
NEAR = ("127.0.0.1", 40000)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite in `make test`, PostgreSQL in `make test-slow`."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@dataclass
class Web:
    harness: Harness
    app: App
    site: Site
    stack: AsyncExitStack
    made: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, sender: tuple[str, int] = NEAR, /, **headers: str) -> httpx.AsyncClient:
        """A browser that has not signed in."""
        site = operators_site(self.site, "127.0.0.1")
        transport = httpx.ASGITransport(site, raise_app_exceptions=False, client=sender)
        return httpx.AsyncClient(transport=transport, base_url=HERE, headers=headers)

    def outside(self, sender: tuple[str, int] = ("203.0.113.9", 40000), /, **headers: str) -> httpx.AsyncClient:
        """Somebody at the second port."""
        transport = httpx.ASGITransport(public_site(self.site, "127.0.0.1"), raise_app_exceptions=False, client=sender)
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers)

    async def signed_in(self) -> httpx.AsyncClient:
        browser = self.client()
        self.site.link.renew()
        answer = await browser.get(self.site.link.path)
        assert answer.status_code == 303
        return browser

    async def send(self, browser: httpx.AsyncClient, page: str, action: str, **fields: str) -> httpx.Response:
        """Fill in the form with that action on that page, as the page offers it, and send it."""
        answer = await browser.get(page)
        assert answer.status_code == 200, answer.text
        offered = form_fields(answer.text, action)
        return await browser.post(action, data=offered | fields)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.open = given.get("action") or ""
            self.forms.setdefault(self.open, {})
        elif self.open and tag == "input" and given.get("name") and given.get("type") == "hidden":
            self.forms[self.open][str(given["name"])] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self.open = "" if tag == "form" else self.open


def form_fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with that action. Fails where the page has none."""
    parser = _Forms()
    parser.feed(page)
    assert action in parser.forms, f"no form {action} among {sorted(parser.forms)}"
    return parser.forms[action]


MakeWeb = Callable[..., Awaitable[Web]]


@pytest.fixture
async def make_web(make_harness: MakeHarness) -> AsyncIterator[MakeWeb]:
    """Builds the pages over a fleet that was imported; the options are those of `build_harness`."""
    async with AsyncExitStack() as stack:

        async def make(
            *, admin: str = "", columns: dict[str, str] | None = None, attended: bool = True, **options: Any
        ) -> Web:
            harness = await make_harness(**options)
            harness.attended = attended
            path = harness.settings.admin_path
            path.write_text(path.read_text() + admin)
            app = await stack.enter_async_context(harness.worker())
            await harness.import_numbers(app, **(columns or {}))
            return Web(harness, app, make_site(app, "anna", StopRequest(), PUBLIC), stack)

        yield make


@pytest.fixture
async def web(make_web: MakeWeb) -> Web:
    return await make_web(kinds=("healthy",) * 3)
