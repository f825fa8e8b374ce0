"""Kinds of numbers, scenarios, faults, checks of `register` and actions, as tables of `docs/sandbox.md`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

from sandbox.faults import DEFAULT_EFFECT, EFFECT_OPTIONAL
from sandbox.faults import KINDS as FAULT_KINDS
from sandbox.onprem.operator_actions import ACTIONS
from sandbox.open_questions import text_of
from sandbox.scenarios.kinds import KINDS, TYPES
from sandbox.scenarios.scenario_file import load_scenario, shipped_scenarios
from sandbox.world import credentials, whatsapp_manager
from sandbox.world.register_checks import CHECKS

_CALLER_GETS: Mapping[str, str] = {
    "refuse": "the connection is refused",
    "reset_before": "the connection is reset before the request is read",
    "reset_after": "the connection is reset instead of a response",
    "lost_answer": "the connection ends without a response",
    "slow": "the response takes `seconds`; with `effect: false` it is 504",
    "429": "too many requests",
    "500": "an internal error of the API",
    "error": "the error `code`, with `subcode`, `details` and `status` if the fault has them",
    "html": "502 with a page of HTML",
    "truncated": "the response ends in the middle",
    "empty": "a response without a body",
    "lag": "for `seconds`, reads show the state before the call",
    "fails_later": "the message is accepted, and its status is `failed` with `code`",
}


def kinds() -> Iterator[str]:
    plain = KINDS["healthy"]
    yield from ("| Kind | Differs from `healthy` in |", "|---|---|")
    for kind in KINDS.values():
        parts = [field.name for field in fields(kind) if field.name != "kind"]
        differs = [
            f"{part}: {text_of(getattr(kind, part))}" for part in parts if getattr(kind, part) != getattr(plain, part)
        ]
        yield f"| `{kind.kind}` | {', '.join(differs) or 'nothing'} |"
    yield from ("", "A row of a scenario may set any of these:", "", "| Part | Values |", "|---|---|")
    for field in fields(plain):
        if field.name != "kind":
            yield f"| `{field.name}` | {_choices(field.name, getattr(plain, field.name))} |"


def _choices(name: str, default: Any) -> str:
    kind = TYPES[name]
    if get_origin(kind) is Literal:
        return ", ".join(f"**{value}**" if value == default else str(value) for value in get_args(kind))
    if kind is str:
        return "a name"
    return "true, **false**" if default is False else "**true**, false" if default is True else "a whole number"


def scenarios() -> Iterator[str]:
    yield from ("| Scenario | World | Numbers | About |", "|---|---|---|---|")
    for name in shipped_scenarios():
        scenario = load_scenario(name)
        yield f"| `{name}` | {scenario.world} | {len(scenario.numbers)} | {scenario.about} |"


def faults() -> Iterator[str]:
    yield from ("| Kind | What the caller gets | The call takes effect |", "|---|---|---|")
    for kind in FAULT_KINDS:
        effect = "yes" if DEFAULT_EFFECT[kind] else "no"
        choice = ", or as `effect` says" if kind in EFFECT_OPTIONAL else ""
        yield f"| `{kind}` | {_CALLER_GETS[kind]} | {effect}{choice} |"


def checks() -> Iterator[str]:
    yield from (f"{at}. {description}" for at, (description, _) in enumerate(CHECKS, 1))


def actions() -> Iterator[str]:
    yield f'- `POST /_sandbox/instances/<id>` `{{"do": …}}`: {_listed(ACTIONS)}'
    yield f'- `POST /_sandbox/manager` `{{"e164": …, "do": …}}`: {_listed(whatsapp_manager.ACTIONS)}'
    yield f'- `POST /_sandbox/manager` `{{"business"?: …, "token"?: …, "do": …}}`: {_listed(credentials.ACTIONS)}'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
