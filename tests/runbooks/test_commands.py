"""What runbooks tell an operator to type, put to the command line's own parser."""

import shlex
from pathlib import Path
from typing import cast

import pytest
import typer
from typer.core import TyperGroup

from migration.cli.__main__ import app
from tests.runbooks.pages import PAGES, typed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_types_parses(page: Path) -> None:
    """A wrong option or a missing argument raises a usage error. Nothing is run."""
    cli = cast("TyperGroup", typer.main.get_command(app))
    for line in typed(page):
        verb, *words = shlex.split(line)[1:]
        if verb in cli.commands:
            cli.commands[verb].make_context(verb, words)
