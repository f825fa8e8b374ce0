"""The source of `sandbox/switches.py`: one typed field for each switch of the data file."""

import json
from collections.abc import Iterator

from sandbox.open_questions import SwitchSpec, Value, questions

HEAD = '''"""Every switch of the sandbox, with its type and its default: a behaviour that Meta does not document.

Generated from open_questions.toml, where each switch is explained: change it there, then run
`python -m sandbox.documentation`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Switches:'''


def source() -> str:
    return "\n".join([HEAD, *_fields()]) + "\n"


def _fields() -> Iterator[str]:
    section = ""
    for question in questions():
        if question.switches and question.section != section:
            section = question.section
            yield f"    # -- {section}"
        yield from (f"    {spec.name}: {_type(spec)} = {_literal(spec.default)}" for spec in question.switches)


def _type(spec: SwitchSpec) -> str:
    if isinstance(spec.default, bool):
        return "bool"
    if spec.values:
        return f"Literal[{', '.join(_literal(value) for value in spec.values)}]"
    return "int" if spec.number == "whole" else "float"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return f"{value:_}" if isinstance(value, int) and value >= 1_000_000 else repr(value)
