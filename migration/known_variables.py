"""Which environment variables `CUTOVER_…` mean something: a misspelled one would be taken for not set."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from migration.errors import BadSetting
from migration.runtime.process_tree import MARK_VARIABLE

PREFIX = "CUTOVER_"
OPERATOR = "CUTOVER_OPERATOR"  # the name under which decisions are recorded
# How alike two names are, from 0 to 1, as difflib counts: to be named as what was meant, and to be taken for certain.
LIKELY, CERTAIN = 0.5, 0.7


def check_variables(environment: Mapping[str, str], fields: Iterable[str], admin_file: Path) -> None:
    """Raises BadSetting for a variable that nothing reads, with the nearest name. An empty one counts as not set.

    The admin file may name variables of its own, `{ env = "CUTOVER_TOKEN" }`. Where it cannot be read, only a variable
    that is near to a known name is refused, because `status` needs no admin file.
    """
    known = {PREFIX + field.upper() for field in fields} | {OPERATOR, MARK_VARIABLE}
    named = _named_in(admin_file)
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX) or name in known or not environment[name]:
            continue
        if named is not None and name in named:
            continue
        near = _nearest(name.upper(), known | (named or set()), LIKELY if named is not None else CERTAIN)
        if near is not None or named is not None:
            advice = f"did you mean {near}" if near is not None else "docs/commands.md lists those that are"
            raise BadSetting(f"the environment variable {name} is not one that cutover reads; {advice}")


def _nearest(name: str, known: set[str], cutoff: float) -> str | None:
    """Compared without the prefix that all of them share."""
    endings = sorted(other.removeprefix(PREFIX) for other in known if other.startswith(PREFIX))
    found = difflib.get_close_matches(name.removeprefix(PREFIX), endings, n=1, cutoff=cutoff)
    return PREFIX + found[0] if found else None


def _named_in(admin_file: Path) -> set[str] | None:
    """None where the file cannot be read."""
    try:
        return set(_env_names(tomllib.loads(admin_file.read_text())))
    except (OSError, ValueError):
        return None


def _env_names(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name == "env" and isinstance(inner, str):
            yield inner
        else:
            yield from _env_names(inner)
