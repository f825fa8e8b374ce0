"""`python -m sandbox.control.docs_tables docs/sandbox.md`: writes the tables of that page anew from the code.

What stands between `<!-- name -->` and `<!-- end of name -->` is made here; the rest is written by hand.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from sandbox import faults, switches
from sandbox import sources as pages
from sandbox.control import docs_client_tables as page_clients
from sandbox.onprem.operator_actions import ACTIONS
from sandbox.scenarios import kinds
from sandbox.scenarios import scenario_file as scenario
from sandbox.world import credentials
from sandbox.world import whatsapp_manager as manager
from sandbox.world.register_checks import CHECKS

FAULTS: Mapping[str, str] = {
    "refuse": "nobody listens",
    "reset_before": "the connection is reset before the request is read",
    "reset_after": "the connection is reset instead of an answer",
    "lost_answer": "the connection ends without an answer",
    "slow": "the answer takes `seconds`; with `effect: false` it is 504",
    "429": "too many requests",
    "500": "an error of the far side",
    "error": "the refusal `code`, with `subcode`, `details` and `status` where the fault has them",
    "html": "502 with a page of HTML",
    "truncated": "the answer breaks off in the middle",
    "empty": "an answer without a body",
    "lag": "reads show for `seconds` what was true before the call",
    "fails_later": "the message is taken, and its status is `failed` with `code`",
}


def _values(name: str, default: Any) -> str:
    kind = switches.TYPES[name]
    if get_origin(kind) is not Literal:
        told = "true, false" if kind is bool else switches.number_of(name)
        return f"{told}; **{str(default).lower()}**"
    return ", ".join(f"**{one}**" if one == default else str(one) for one in get_args(kind))


def _switches() -> Iterator[str]:
    told, heading = switches.questions(), ""
    defaults = switches.Switches()
    for name in switches.names():
        section, question, key = told[name]
        if section != heading:
            heading = section
            yield from ("", f"### {section}", "", "| Switch | Question | Values | Left open by |", "|---|---|---|---|")
        yield f"| `{name}` | {question} | {_values(name, getattr(defaults, name))} | {key} |"
    yield ""
    yield from (f"- {key}: {where}" for key, where in pages.PAGES.items())


def _kinds() -> Iterator[str]:
    plain = kinds.KINDS["healthy"]
    yield from ("| Kind | Differs from `healthy` in |", "|---|---|")
    for kind in kinds.KINDS.values():
        parts = [one.name for one in fields(kind) if one.name != "kind"]
        differs = [f"{one}: {_shown(getattr(kind, one))}" for one in parts if getattr(kind, one) != getattr(plain, one)]
        yield f"| `{kind.kind}` | {', '.join(differs) or 'nothing'} |"
    yield from ("", "A row of a scenario may set any of these:", "", "| Part | Values |", "|---|---|")
    for one in fields(plain):
        if one.name != "kind":
            yield f"| `{one.name}` | {_choices(one.name, getattr(plain, one.name))} |"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(name: str, default: Any) -> str:
    kind = kinds.TYPES[name]
    if get_origin(kind) is Literal:
        return ", ".join(f"**{one}**" if one == default else str(one) for one in get_args(kind))
    if kind is str:
        return "a name"
    return "true, **false**" if default is False else "**true**, false" if default is True else "a whole number"


def _scenarios() -> Iterator[str]:
    yield from ("| Scenario | World | Numbers | About |", "|---|---|---|---|")
    for name in scenario.shipped():
        told = scenario.load(name)
        yield f"| `{name}` | {told.world} | {len(told.numbers)} | {told.about} |"


def _faults() -> Iterator[str]:
    yield from ("| Kind | What the caller meets | The call has its effect |", "|---|---|---|")
    for kind in faults.KINDS:
        effect = "yes" if faults.EFFECT[kind] else "no"
        yield f"| `{kind}` | {FAULTS[kind]} | {effect}{', or as `effect` says' if kind in faults.CHOOSES else ''} |"


def _checks() -> Iterator[str]:
    yield from (f"{at}. {what}" for at, (what, _) in enumerate(CHECKS, 1))


def _hands() -> Iterator[str]:
    yield f'- `POST /_sandbox/instances/<id>` `{{"do": …}}`: {", ".join(f"`{one}`" for one in ACTIONS)}'
    yield f'- `POST /_sandbox/manager` `{{"e164": …, "do": …}}`: {", ".join(f"`{one}`" for one in manager.ACTIONS)}'
    tokens = ", ".join(f"`{one}`" for one in credentials.ACTIONS)
    yield f'- `POST /_sandbox/manager` `{{"business"?: …, "token"?: …, "do": …}}`: {tokens}'


PARTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "switches": _switches,
    "kinds": _kinds,
    "scenarios": _scenarios,
    "faults": _faults,
    "checks": _checks,
    "hands": _hands,
    "states": page_clients.states,
    "moves": page_clients.moves,
}


def renewed(page: str) -> str:
    """The page with every made part as the code has it now. Raises ValueError where a part has no place."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"the page has no place for {name}")
        made = "\n".join([begin, *make(), end])
        page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, made=made: made, page, flags=re.DOTALL)  # type: ignore[misc]
    return page


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("python -m sandbox.control.docs_tables FILE\n")
        return 2
    path = Path(arguments[0])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
