"""The demo's servers with Prefect's web pages, and a page of Debian's Chromium."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from migration.demo.prefect_api import PrefectApi
from migration.demo.servers import LOOPBACK, DemoServers

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# Screenshots are build output; nothing compares them.
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PATIENCE_MS = 60_000
SIZE = (1280, 1100)


class ServersWithPages(DemoServers):
    async def start_prefect(self) -> None:
        """Start Prefect with its web pages, which the demo does not need."""
        child = self.start_process(
            "prefect", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(self.port)
        )
        async with PrefectApi(self.prefect_url) as api:
            await self.wait_until(child, "prefect", api.is_healthy)

    @property
    def pages(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """One page of a real browser. Fails where there is no browser: `make programs` installs it."""
    assert shutil.which(CHROMIUM), f"there is no {CHROMIUM}; `make programs` installs it"
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            yield page
        finally:
            await browser.close()


async def take_screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
