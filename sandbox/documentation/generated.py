"""Which files have generated parts, and what makes each part.

In a page, what stands between `<!-- name -->` and `<!-- end of name -->` is generated; the rest is written by hand.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from sandbox.documentation import client_tables, question_tables, scenario_tables, switches_class

Part = Callable[[], Iterator[str]]

SANDBOX_PAGE: Mapping[str, Part] = {
    "switches": question_tables.switches,
    "kinds": scenario_tables.kinds,
    "scenarios": scenario_tables.scenarios,
    "faults": scenario_tables.faults,
    "checks": scenario_tables.checks,
    "actions": scenario_tables.actions,
    "states": client_tables.states,
    "transitions": client_tables.transitions,
}
UNCONFIRMED_PAGE: Mapping[str, Part] = {"questions": question_tables.questions}


def renewed(page: str, parts: Mapping[str, Part]) -> str:
    """The page with every generated part made again. Raises ValueError when the page has no place for a part."""
    for name, make in parts.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"the page has no place for {name}")
        part = "\n".join([begin, *make(), end])
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, part=part: part, page, flags=re.DOTALL)  # type: ignore[misc]
    return page


# Path in the checkout to what makes its new content from its present content.
FILES: Mapping[str, Callable[[str], str]] = {
    "docs/sandbox.md": lambda page: renewed(page, SANDBOX_PAGE),
    "docs/unconfirmed.md": lambda page: renewed(page, UNCONFIRMED_PAGE),
    "sandbox/switches.py": lambda _: switches_class.source(),
}
