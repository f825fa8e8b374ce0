"""Every page and every refusal at desk and phone size: axe is clean. On paper: the facts, nothing to press."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.harness.cli_fixture import CliFixture, build_cli_fixture, run_sandbox
from tests.ui.browser import take_screenshot
from tests.ui.test_operators_pages import SIZES, browser, look, open_page
from tests.web.test_serving import CUTOVER, environment, serving

__all__ = ["browser"]
pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.browser]

PAGES = {
    "now": "/",
    "numbers": "/numbers",
    "numbers-none": "/numbers?status=blocked&page=9",
    "number": "/numbers/N-0001",
    "number-waiting": "/numbers/N-0002",
    "wave": "/waves/1",
    "release-all": "/waves/1/release?part=all",
    "desk": "/desk",
    "desk-mine": "/desk?for=me",
    "unknown": "/numbers/N-9999",
    "no-page": "/nothing",
}
ROSTER = (
    "operator,contact,languages,time_zone,from,to\ntester,+1 555 010 0000,en,UTC,2020-01-01 00:00,2090-01-01 00:00\n"
)
NOT_PRINTED = "header.top nav, form, button, .skip, nav.pages"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[CliFixture, dict[str, Any]]]:
    """One number that has moved and one that nobody has begun; pages that move nothing."""
    with run_sandbox("--numbers", "2", "--kinds", "healthy,no_backup", "--seed", "5") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        roster = tmp_path / "roster.csv"
        roster.write_text(ROSTER)
        for command in (["import", cli.inventory()], ["import", "--roster", str(roster)], ["plan", "first"]):
            assert cli.cutover(*command).exit_code == 0, command
        env = environment(cli.home, graph=sandbox.manifest["graph_url"])
        for command in (["move", "N-0001", "--out", "--because", "first"], ["run", "N-0001", "--patience", "5"]):
            subprocess.run([*CUTOVER, *command], env=env, check=False, capture_output=True, timeout=60)
        with serving(cli.home, "--port", "0", "--no-moves", graph=sandbox.manifest["graph_url"]) as (_, ready):
            yield cli, ready


async def test_every_page_is_right_at_every_size(fleet: tuple[CliFixture, dict[str, Any]], browser: Browser) -> None:
    _, ready = fleet
    for size, scheme in (("desk", "dark"), ("phone", "light")):
        page = await open_page(browser, ready, size, scheme)
        for name, path in PAGES.items():
            await page.goto(ready["url"] + path)
            await look(page, f"{name}-{size}")
        stranger = await _stranger(browser, size)
        for name, address in (("sign-in", ready["url"]), ("room-closed", f"{ready['public_url']}/rooms/none")):
            await stranger.goto(address)
            await look(stranger, f"{name}-{size}")


async def test_paper_has_the_facts_and_nothing_to_press(
    fleet: tuple[CliFixture, dict[str, Any]], browser: Browser
) -> None:
    _, ready = fleet
    page = await open_page(browser, ready, "desk", "dark")
    for name in ("now", "numbers", "number", "number-waiting", "wave", "desk"):
        await page.goto(ready["url"] + PAGES[name])
        await page.emulate_media(media="print", color_scheme="dark")
        shown = page.locator(f":is({NOT_PRINTED}):visible")
        assert await shown.count() == 0, (name, await shown.first.inner_text())
        paper, ink = await page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert (paper, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)"), f"{name}: no ink is spent on a dark page"
        assert await page.locator("h1").is_visible()
        await take_screenshot(page, f"{name}-paper")
        await page.emulate_media(media="screen")
    await page.goto(f"{ready['url']}/numbers/N-0001")
    await page.emulate_media(media="print")
    evidence = page.locator("details[id^=event-] dl")
    assert await evidence.count() > 3
    seen = await evidence.evaluate_all("all => all.filter(one => one.checkVisibility()).length")
    assert seen == await evidence.count(), "what is folded on the screen is open on paper"
    assert not await page.get_by_role("heading", name="Decide").is_visible()


async def _stranger(browser: Browser, size: str) -> Page:
    width, height = SIZES[size]
    return await (await browser.new_context(viewport={"width": width, "height": height})).new_page()
