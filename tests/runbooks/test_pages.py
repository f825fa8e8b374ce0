"""Every page that the product can name exists, has its five headings, and contains only commands that exist."""

import importlib
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterator
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType
from typing import cast

import pytest
import typer
from typer.core import TyperGroup

import flows
import migration
import state
from migration.cli.__main__ import app
from tests.runbooks.pages import PAGES, commands_in

HEADINGS = ["You see", "What is true now", "Do", "Check", "If not"]

# Pages that must exist even if the product does not name them: for planning a day, and for what can go wrong in it.
REQUIRED = {
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
NUMBER_OR_WAVE = rf"({NUMBER}|{WAVE})"
ITINERARY = r"(WITH_BACKUP|CODE_FIRST|CODE_AFTER|ONBOARD|BACK_TO_ONPREM|FORWARD_RECOVERY)"
REMEDY = r"--(look-again|onprem-off|pin-handed-in|two-step-off|terms-accepted|take-over|spend-reserve|senders-resumed)"
REMEDY = rf"({REMEDY}|--switch {ITINERARY}|--dispose already_on_cloud)"
CONFIRMATION = rf"( --confirm ({NUMBER}|N-0002))?"
PLAN = rf"( --(rule|from|to) {TEXT}| --tz \S+| --(limit|canary|concurrency) \d+)+"
COMMANDS = [
    r"fact pin_while_not_on_cloud",
    r"init( --key-lost)?|deploy|worker|sweep|rotate-key|sandbox|demo",
    r"import FILE( --correct)?",
    r"backup FILE|restore (FILE( --move-aside)?|--look)",
    rf"(preflight|status)( {WAVE})?",
    rf"run( {NUMBER_OR_WAVE})?",
    rf"(show|enter-code|parity|prove) {NUMBER}",
    rf"ask-code {NUMBER}( --(lost|answering-machine))?",
    rf"hold ({NUMBER_OR_WAVE}|N-0002)( --because {TEXT})?",
    rf"release ({NUMBER}|{WAVE}( --canary)?)",
    rf"stop {WAVE} --because {TEXT} --confirm {WAVE}",
    rf"abort {NUMBER} --because {TEXT} --confirm {NUMBER}",
    rf"resolve ({NUMBER}|N-0002) {REMEDY} --because {TEXT}{CONFIRMATION}",
    rf"back-to-onprem {NUMBER} --confirm {NUMBER}( --dry-run)?",
    rf"plan {WAVE}{PLAN}",
    r"profile NAME --new-token",
    rf"rooms {WAVE} --out FILE",
    rf"runbook( [a-z-]+( {NUMBER})?)?",
]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def string_constants(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from string_constants(constant)


def pages_named_by_product() -> set[str]:
    """From the strings of the compiled modules: `runbooks/NAME.md` and `cutover runbook NAME`."""
    names: set[tuple[str, str]] = set()
    for package in (migration, state, flows):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = module.module_finder.find_spec(module.name, None)
            assert spec is not None
            code = cast("InspectLoader", spec.loader).get_code(module.name)
            for text in string_constants(code) if code is not None else ():
                names |= set(re.findall(r"runbooks/([a-z-]+)\.md|cutover runbook ([a-z-]+)", text))
    return {path or command for path, command in names}


def test_every_page_that_the_product_names_exists() -> None:
    named = pages_named_by_product()
    assert len(named) > 10
    assert named <= {page.stem for page in PAGES}


def test_required_pages_exist() -> None:
    assert {page.stem for page in PAGES} >= REQUIRED


def test_every_page_is_named_by_the_product_or_linked_or_required() -> None:
    linked = {name for page in PAGES for name in re.findall(r"\]\(([a-z-]+)\.md\)", page.read_text())}
    assert {page.stem for page in PAGES} - pages_named_by_product() - linked - REQUIRED == set()


def test_every_page_is_executed() -> None:
    """A test that takes the fixture `runbook` executes the page that it is named for."""
    executed = {
        name.removeprefix("test_").replace("_", "-")
        for path in Path(__file__).parent.glob("test_pages_of_*.py")
        for name, function in inspect.getmembers(importlib.import_module(f"tests.runbooks.{path.stem}"))
        if name.startswith("test_") and "runbook" in inspect.signature(function).parameters
    }
    assert executed == {page.stem for page in PAGES}


@each_page
def test_page_has_a_title_and_the_five_headings_in_order(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^(#+) (.+)$", text, re.MULTILINE)
    assert [title for level, title in headings if level == "##"] == HEADINGS
    assert [level for level, _ in headings] == ["#", *["##"] * len(HEADINGS)]
    assert all(part.strip() for part in re.split(r"^##? .+$", text, flags=re.MULTILINE)[2:])


@each_page
def test_page_contains_only_known_commands(page: Path) -> None:
    commands = commands_in(page)
    assert commands, "a runbook has commands to type"
    for command in commands:
        program, _, rest = command.partition(" ")
        assert program == "cutover", command
        assert any(re.fullmatch(pattern, rest) for pattern in COMMANDS), command


@each_page
def test_commands_of_page_parse(page: Path) -> None:
    """A wrong option or a missing argument raises a usage error. Nothing is run."""
    cli = cast("TyperGroup", typer.main.get_command(app))
    for command in commands_in(page):
        verb, *words = shlex.split(command)[1:]
        if verb in cli.commands:
            cli.commands[verb].make_context(verb, words)


@each_page
def test_page_mentions_only_known_commands(page: Path) -> None:
    verbs = {verb for pattern in COMMANDS for verb in re.findall(r"(?<![A-Za-z\\-])[a-z][a-z-]+", pattern)}
    for verb in re.findall(r"`cutover ([a-z-]+)[^`]*`", page.read_text()):
        assert verb in verbs, verb


@each_page
def test_page_links_only_to_existing_pages(page: Path) -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / name).exists(), name


@each_page
def test_page_has_no_real_number_and_no_secret(page: Path) -> None:
    assert not re.search(r"\+\d{7,}|\bEAA[A-Za-z0-9]{10,}", page.read_text())
