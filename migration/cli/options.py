"""Options and arguments that several verbs take."""

from typing import Annotated

import typer

from migration.scrubbing.texts import SHOWN, SafeText, once_more


def typed_text(value: str) -> SafeText:
    """What a person typed for the history, without phone numbers, known secrets and control characters."""
    return once_more(value, SHOWN)


def _require_reason(value: str) -> str:
    """The history is read by whoever comes next; an empty reason would explain nothing."""
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return typed_text(value)


Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document on the last line.")]
ShowNumbers = Annotated[bool, typer.Option("--show-numbers", help="Print phone numbers in full.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do; nothing is written anywhere.")]
Because = Annotated[
    str, typer.Option("--because", callback=_require_reason, help="Why: it goes into the history, with your name.")
]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", help="The number (or wave) once more: this cannot be taken back. Without it, a dry run."),
]
NumberArgument = Annotated[str, typer.Argument(help="Reference (N-0001), E.164 or phone number id.")]
