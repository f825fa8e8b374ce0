"""Whether a command of the admin file can say every message to senders. docs/hooks.md has the fields.

A pattern that takes a pause and not what follows it would leave senders paused after the crossing.
"""

from collections.abc import Mapping

from migration.clients.commands import NamedCommand, argument_problem

_SIDES = ("on_premises", "cloud")
# Fields of every message with values that each pattern has to take; of the others, whatever the number has.
_VALUES: Mapping[str, tuple[str, ...]] = {
    "event": ("pause_sends", "switch_route", "resume_sends"),
    "from": _SIDES,
    "to": _SIDES,
    "migration_id": ("7",),
    "epoch": ("3", "12"),
    "deadline": ("2026-11-24T12:03:00+00:00", "2026-11-24T12:03:00.000001+00:00"),
    "key": ("7:pause_sends:3:3fb0c1d2e4a59687", "7:resume_sends:12:3fb0c1d2e4a59687.9f2c01aa"),
    "home": ("3fb0c1d2e4a59687", "3fb0c1d2e4a59687.9f2c01aa"),  # the second: after a restore
    **dict.fromkeys(("e164", "customer", "waba_id", "phone_number_id"), ()),
}


def hook_problem(command: NamedCommand) -> str | None:
    """What is wrong with a command as a hook, as a sentence about its arguments; None where nothing is."""
    for name in command.placeholders:
        if name not in _VALUES:
            return f"{{{name}}} is no field of every message to senders"
        pattern = command.arguments.get(name)
        if pattern is None:
            return f"{{{name}}} has no pattern in arguments"
        wrong = next((value for value in _VALUES[name] if argument_problem(pattern, value)), None)
        if wrong is not None:
            return f"the pattern of {name} does not take {wrong}"
    return None
