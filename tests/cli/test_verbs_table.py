"""The table of verbs: each line of the help is its verb's own, and help loads no verb."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest
from alembic.script import ScriptDirectory

from migration.cli.verbs import VERBS, Commands
from state.revisions import head, revisions

# What only verbs need; each takes tenths of a second to load.
HEAVY = ("sqlalchemy", "pydantic", "httpx", "rich", "prefect", "phonenumbers", "alembic", "cryptography")


@pytest.mark.parametrize("name", VERBS)
def test_the_line_in_the_list_is_the_beginning_of_the_verb_s_own_help(name: str) -> None:
    verb = VERBS[name]
    function = getattr(import_module(f"migration.cli.{verb.module}"), verb.function)
    assert " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split()) == verb.help
    assert Commands()[name].help.startswith(verb.help.split(". ")[0][:40])


def _loaded(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(run.stdout.split())


def test_the_list_of_verbs_loads_nothing_that_only_verbs_need() -> None:
    code = "from migration.cli.__main__ import app\ntry: app(['--help'])\nexcept SystemExit: pass"
    loaded = _loaded(code)
    assert [name for name in HEAVY if name in loaded] == []
    assert not any(name == f"migration.cli.{verb.module}" for verb in VERBS.values() for name in loaded)


def test_the_newest_revision_is_found_without_alembic() -> None:
    assert head() == ScriptDirectory(str(revisions())).get_current_head()
    assert "alembic" not in _loaded("from state.revisions import head; head()")
