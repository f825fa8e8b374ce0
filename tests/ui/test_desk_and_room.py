"""A code is collected at the desk and in a customer's room, in a real browser, at desk and phone size."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from migration.demo.servers import free_port
from migration.web.room_texts import languages
from tests.harness.cli_fixture import CliFixture, build_cli_fixture, run_sandbox
from tests.ui.test_operators_pages import SIZES, browser, look, open_page
from tests.web.test_serving import serving

__all__ = ["browser"]
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.browser]


@dataclass
class Evening:
    """A wave of numbers that need codes has begun; `links` are those of their rooms, by reference."""

    cli: CliFixture
    ready: dict[str, Any]
    links: dict[str, str]

    def newest_code(self, ref: str) -> str:
        number = self.cli.fleet[int(ref[2:]) - 1]
        answer = self.cli.sandbox.control("GET", f"sms?e164={number['e164'].replace('+', '%2B')}")
        return str(answer["codes"][-1]["code"])


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    with run_sandbox("--numbers", "3", "--kinds", "no_backup", "--seed", "5") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        public = f"http://127.0.0.1:{free_port()}"
        with (cli.home / "cutover.toml").open("a") as admin:
            admin.write(f'\n[web]\npublic_url = "{public}"\n')
        columns = {"customer_contact": "Rui", "customer_language": "pt_BR", "customer_time_zone": "America/Sao_Paulo"}
        links = tmp_path / "links.csv"
        for command in (
            ["import", cli.inventory(**columns)],
            ["plan", "first"],
            ["rooms", "first", "--out", str(links)],
        ):
            done = cli.cutover(*command)
            assert done.exit_code == 0, done.stderr
        with links.open(newline="") as file:
            rows = list(csv.DictReader(file))
        with serving(cli.home, "--port", "0", graph=sandbox.manifest["graph_url"]) as (_, ready):
            assert ready["public_url"] == public
            yield Evening(cli, ready, {row["ref"]: row["url"] for row in rows})


async def test_codes_come_by_desk_and_by_room(evening: Evening, browser: Browser) -> None:
    url = evening.ready["url"]
    desk = await open_page(browser, evening.ready, "desk")
    await desk.goto(f"{url}/waves/1")
    await desk.get_by_role("button", name="Begin the wave").click()
    await desk.goto(f"{url}/desk")
    await expect(desk.get_by_role("button", name="At the phone of N-0001")).to_be_visible()
    await look(desk, "desk-desk")
    phone = await open_page(browser, evening.ready, "phone", "dark")
    await phone.goto(f"{url}/desk")
    await look(phone, "desk-phone")
    await desk.get_by_role("button", name="At the phone of N-0001").click()
    await expect(desk.get_by_label("Code of N-0001")).to_be_visible(timeout=30_000)
    await look(desk, "desk-code-desk")
    await desk.get_by_label("Code of N-0001").fill("12")
    await desk.locator("#codes").get_by_role("button", name="Enter", exact=True).first.click()
    await expect(desk.get_by_role("alert")).to_contain_text("six digits")
    await desk.get_by_label("Code of N-0001").fill(evening.newest_code("N-0001"))
    await desk.locator("#codes").get_by_role("button", name="Enter", exact=True).first.click()
    await expect(desk.get_by_text("The code is kept")).to_be_visible()
    await _use_room(evening, browser, "N-0002", "phone")
    await desk.goto(f"{url}/numbers/N-0001")
    await expect(desk.locator("h1 .tag")).to_have_text("done", timeout=120_000)


async def _use_room(evening: Evening, browser: Browser, ref: str, size: str) -> None:
    text = languages()["pt"]
    room = await _open_room(browser, evening.links[ref], size)
    await look(room, "room-first-phone")
    await room.get_by_role("button", name=text["agree"]).click()
    await look(room, "room-agreed-phone")
    assert await _digits(room, evening.cli) == []
    await room.get_by_role("button", name=text["call_sms"]).click()
    # The customer loads nothing again: the room follows by itself.
    field = room.get_by_label(text["code_label"])
    await expect(field).to_be_visible(timeout=60_000)
    await look(room, "room-code-phone")
    await field.fill("000000")
    await room.get_by_role("button", name=text["code_send"]).click()
    await expect(room.get_by_text(text["state_wrong"])).to_be_visible(timeout=60_000)
    code = evening.newest_code(ref)
    await room.wait_for_timeout(11_000)  # guesses are slowed: the second one is taken 10 s later
    await room.get_by_label(text["code_label"]).fill(code)
    await room.get_by_role("button", name=text["code_send"]).click()
    await expect(room.get_by_text(text["state_checked"])).to_be_visible(timeout=120_000)
    await look(room, "room-done-phone")
    arabic = await _open_room(browser, f"{evening.links[ref]}?language=ar", "desk")
    await expect(arabic.locator("html")).to_have_attribute("dir", "rtl")
    await look(arabic, "room-arabic-desk")


async def _open_room(browser: Browser, link: str, size: str) -> Page:
    width, height = SIZES[size]
    page = await (await browser.new_context(viewport={"width": width, "height": height})).new_page()
    await page.goto(link)
    return page


async def _digits(page: Page, cli: CliFixture) -> list[str]:
    source = re.sub(r"\D", "", await page.content())
    return [number["e164"] for number in cli.fleet if number["e164"].lstrip("+") in source]
