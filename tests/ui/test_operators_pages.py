"""The operators' pages in a real browser, at desk and phone size, light and dark: a wave is moved from them alone."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.harness.cli_fixture import CliFixture, build_cli_fixture, run_sandbox
from tests.ui.browser import CHROMIUM, FLAGS, take_screenshot
from tests.web.test_serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.browser]

SIZES = {"desk": (1280, 900), "phone": (390, 844)}
PAPER_PX = 718  # of A4 between its usual margins
PATIENCE_MS = 60_000


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        opened = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        expect.set_options(timeout=PATIENCE_MS)
        yield opened
        await opened.close()


async def look(page: Page, name: str) -> None:
    """A picture of it; no rule of axe is broken; nothing is wider than the screen; every button can be hit."""
    await take_screenshot(page, name)
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the screen"
    small = await page.evaluate(
        "[...document.querySelectorAll('button')].filter(b => b.offsetParent && b.offsetHeight < 44).length"
    )
    assert small == 0, f"{name}: {small} buttons are lower than 44 px"
    await look_at_paper(page, name)


async def look_at_paper(page: Page, name: str) -> None:
    """Nothing is cut off on A4, and it says as of when it is."""
    size = page.viewport_size
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": PAPER_PX, "height": 1000})
    cut = await page.evaluate("[...document.querySelectorAll('.scroll')].some(e => e.scrollWidth > e.clientWidth)")
    assert not cut, f"{name} is cut off on paper"
    assert await page.locator("#live-state").is_hidden()
    await page.emulate_media(media="screen")
    if size is not None:
        await page.set_viewport_size(size)


async def open_page(browser: Browser, ready: dict[str, Any], size: str, scheme: Any = "light") -> Page:
    width, height = SIZES[size]
    context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    await page.goto(ready["pages_url"])
    return page


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[CliFixture, dict[str, Any]]]:
    """Six numbers in a wave, and the pages over them."""
    with run_sandbox("--numbers", "6", "--seed", "5") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        for command in (["import", cli.inventory()], ["plan", "first", "--canary", "1"]):
            assert cli.cutover(*command).exit_code == 0
        with serving(cli.home, "--port", "0", graph=sandbox.manifest["graph_url"]) as (_, ready):
            yield cli, ready


async def test_a_wave_is_moved_from_the_pages(fleet: tuple[CliFixture, dict[str, Any]], browser: Browser) -> None:
    cli, ready = fleet
    desk, phone = await open_page(browser, ready, "desk"), await open_page(browser, ready, "phone", "dark")
    await expect(desk).to_have_title("Now - cutover")
    for page, size in ((desk, "desk"), (phone, "phone")):
        await look(page, f"now-{size}")
        await page.goto(f"{ready['url']}/numbers")
        await look(page, f"numbers-{size}")
        await page.get_by_role("link", name="N-0001").click()
        await look(page, f"number-{size}")
        await page.goto(f"{ready['url']}/waves/1")
        await look(page, f"wave-{size}")
    await desk.get_by_role("button", name="Begin the wave").click()
    await desk.get_by_role("button", name="Release all ...").click()
    await expect(desk.get_by_text("6 numbers may then pass")).to_be_visible()
    await look(desk, "release-desk")
    await desk.get_by_role("button", name="Yes, release").click()
    # Nobody loads the phone's page again: it follows by itself.
    await expect(phone.get_by_text("6 of 6 numbers are at their end")).to_be_visible(timeout=180_000)
    await look(phone, "wave-done-phone")
    await phone.goto(f"{ready['url']}/numbers/N-0001")
    await look(phone, "number-done-phone")
    await desk.goto(f"{ready['url']}/numbers/N-0001")
    await look(desk, "number-done-desk")
    assert await _full_numbers(desk, cli) == []
    await _reveal(desk, cli)


async def _full_numbers(page: Page, cli: CliFixture) -> list[str]:
    source = re.sub(r"\D", "", await page.content())
    return [number["e164"] for number in cli.fleet if number["e164"].lstrip("+") in source]


async def _reveal(page: Page, cli: CliFixture) -> None:
    await page.get_by_text("Show the full number").click()
    await page.get_by_label("Why you have to see it").fill("the customer calls")
    await page.get_by_role("button", name="Show it, and record").click()
    shown = await page.locator("#full-number").inner_text()
    assert shown in [number["e164"] for number in cli.fleet]
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
