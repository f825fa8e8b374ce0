"""Runbooks: every page that the code can name exists, has its five headings, and types only commands that exist."""

import re
from pathlib import Path

import pytest

from tests.runbooks.pages import PAGES, TOP, typed

HEADINGS = ["You see", "What is true now", "Do", "Check", "If not"]

# The pages that have to be there even where no line of code names them: the plans for a day and its mishaps.
ALWAYS = {
    "abort",
    "cutover-day",
    "database-down",
    "first-wave",
    "key-lost",
    "prefect-down",
    "rollback-number",
    "rollback-wave",
    "token-refused",
    "way-back-closed",
}

NUMBER, WAVE, TEXT = r"N-0001", r"WAVE", r'"[^"]+"'
ONE = rf"({NUMBER}|{WAVE})"
ITINERARY = r"(WITH_BACKUP|CODE_FIRST|CODE_AFTER|ONBOARD|BACK_TO_ONPREM|FORWARD_RECOVERY)"
REMEDY = rf"(--(look-again|onprem-off|pin-handed-in|two-step-off|spend-reserve)|--switch {ITINERARY})"
AGAIN = rf"( --confirm {NUMBER})?"
PLAN = rf"( --(rule|from|to) {TEXT}| --tz \S+| --(limit|canary|concurrency) \d+)+"
COMMANDS = [
    r"init|deploy|worker|sweep|rotate-key|sandbox|demo",
    r"import FILE( --correct)?",
    rf"(preflight|status)( {WAVE})?",
    rf"run( {ONE})?",
    rf"(show|enter-code) {NUMBER}",
    rf"hold ({ONE}|N-0002)( --because {TEXT})?",
    rf"release ({NUMBER}|{WAVE}( --canary)?)",
    rf"stop {WAVE} --because {TEXT} --confirm {WAVE}",
    rf"abort {NUMBER} --because {TEXT} --confirm {NUMBER}",
    rf"resolve {NUMBER} {REMEDY} --because {TEXT}{AGAIN}",
    rf"back-to-onprem {NUMBER} --confirm {NUMBER}( --dry-run)?",
    rf"plan {WAVE}{PLAN}",
    r"profile NAME --new-token",
    rf"runbook( [a-z-]+( {NUMBER})?)?",
]


def named_in_code() -> set[str]:
    sources = [path for folder in ("migration", "state", "flows") for path in (TOP / folder).rglob("*.py")]
    return {name for path in sources for name in re.findall(r"runbooks/([a-z-]+)\.md", path.read_text())}


def test_every_page_that_the_code_names_exists() -> None:
    missing = named_in_code() - {page.stem for page in PAGES}
    assert not missing


def test_the_code_names_pages_at_all() -> None:
    assert len(named_in_code()) > 10


def test_the_pages_for_the_day_exist() -> None:
    assert {page.stem for page in PAGES} >= ALWAYS


def test_no_page_is_without_a_reader() -> None:
    """Each page is named by the code, by another page, or belongs to the day."""
    linked = {name for page in PAGES for name in re.findall(r"\]\(([a-z-]+)\.md\)", page.read_text())}
    lonely = {page.stem for page in PAGES} - named_in_code() - linked - ALWAYS
    assert not lonely


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_a_title_and_the_five_headings_in_order(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^(#+) (.+)$", text, re.MULTILINE)
    assert [told for level, told in headings if level == "##"] == HEADINGS
    assert [level for level, _ in headings] == ["#", *["##"] * len(HEADINGS)]
    assert all(part.strip() for part in re.split(r"^##? .+$", text, flags=re.MULTILINE)[2:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_types_only_commands_that_exist(page: Path) -> None:
    lines = typed(page)
    assert lines, "a runbook says what to type"
    for line in lines:
        command, _, rest = line.partition(" ")
        assert command == "cutover", line
        assert any(re.fullmatch(known, rest) for known in COMMANDS), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_speaks_only_of_commands_that_exist(page: Path) -> None:
    verbs = {verb for known in COMMANDS for verb in re.findall(r"(?<![A-Za-z\\-])[a-z][a-z-]+", known)}
    for said in re.findall(r"`cutover ([a-z-]+)[^`]*`", page.read_text()):
        assert said in verbs, said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_links_only_to_pages_that_exist(page: Path) -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_holds_no_real_number_and_no_secret(page: Path) -> None:
    assert not re.search(r"\+\d{7,}|\bEAA[A-Za-z0-9]{10,}", page.read_text())
