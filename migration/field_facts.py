"""Field facts: what a partner may measure at Meta where Meta's pages say nothing, and which answers we know."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldFact:
    """One open question; `sets` is what its answer decides."""

    asks: str
    values: tuple[str, ...]
    sets: str


# docs/unconfirmed.md says of each how it can be measured. A test compares the names with those that the code asks for.
FIELD_FACTS: Mapping[str, FieldFact] = {
    "code_while_on_premises": FieldFact(
        "does Meta send a code to a number that its On-Premises client still serves?",
        ("accepted", "refused"),
        "CODE_FIRST or CODE_AFTER for a number without a backup, at its import",
    ),
    "graph_pin_while_not_on_cloud": FieldFact(
        "does Graph set the PIN of a number that is not registered on Cloud?",
        ("accepted", "refused"),
        "whether secure_pin tries Graph where no client serves",
    ),
    "onprem_registration": FieldFact(
        "does On-Premises take a registration today?",
        ("open", "blocked"),
        "whether the way back is offered",
    ),
}
