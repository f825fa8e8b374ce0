"""Field facts: what a partner measures at Meta where Meta's pages say nothing.

Every switch of the sandbox is such a question, and a fact of that name sets it (`cutover sandbox --as-measured`).
A few are asked for by the code as well: what those decide is in `DECIDES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sandbox import switches

REGISTRATION = "onprem_registration"
# docs/unconfirmed.md says of each how it can be measured. A test compares the names with those that the code asks for.
DECIDES: Mapping[str, str] = {
    "code_while_on_premises": "CODE_FIRST or CODE_AFTER for a number without a backup, at its import",
    "pin_while_not_on_cloud": "whether secure_pin tries Graph where no client serves",
    REGISTRATION: "whether the way back is offered",
}
OF_THE_SANDBOX = "the sandbox's switch, with --as-measured"


class BadFact(ValueError):
    """A value that the question does not have."""


@dataclass(frozen=True, slots=True)
class FieldFact:
    """One open question; `values` is empty where the answer is a number, `sets` is what it decides."""

    name: str
    asks: str
    values: tuple[str, ...]
    sets: str

    def read(self, value: str) -> str:
        """The value as it is kept. Raises BadFact."""
        if self.name == REGISTRATION:
            if value not in self.values:
                raise BadFact(f"{self.name} is {self.answers}, not {value}")
            return value
        try:
            taken = getattr(switches.with_values(switches.Switches(), {self.name: value}), self.name)
        except switches.BadSwitch:
            raise BadFact(f"{self.name} is {self.answers}, not {value}") from None
        return str(taken).lower() if isinstance(taken, bool) else str(taken)

    @property
    def answers(self) -> str:
        return " or ".join(self.values) or switches.number_of(self.name)


@cache
def field_facts() -> Mapping[str, FieldFact]:
    """Every question by its name; those that the code asks come first."""
    asked = {name: question for name, (_, question, _) in switches.questions().items()}
    asked[REGISTRATION] = "Whether On-Premises takes a registration today."
    known = {
        name: FieldFact(name, question, _values(name), DECIDES.get(name, OF_THE_SANDBOX))
        for name, question in asked.items()
    }
    return {name: known[name] for name in DECIDES} | known


def _values(name: str) -> tuple[str, ...]:
    return ("open", "blocked") if name == REGISTRATION else switches.values_of(name)


def as_switches(facts: Mapping[str, str]) -> list[str]:
    """What was measured, as `NAME=VALUE` for `--switch`."""
    return [f"{name}={value}" for name, value in facts.items() if name in switches.names()]


def as_world(facts: Mapping[str, str]) -> str | None:
    """The sandbox's world that registers at On-Premises as was measured; None where nobody measured."""
    return {"open": "open", "blocked": "closing"}.get(facts.get(REGISTRATION, ""))
