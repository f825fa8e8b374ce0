"""The verbs of `cutover`: where each is, and its line in the help. A verb's own modules are loaded when it is typed."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from typer.core import TyperCommand
from typer.main import get_command_from_info
from typer.models import CommandInfo


class Verb(NamedTuple):
    """`help` is the first sentence or line of the function's docstring: a test compares them."""

    module: str  # in this folder
    function: str
    help: str
    passes_options_on: bool = False  # takes any options, `--help` too, and hands them to another program


VERBS = {
    "init": Verb(
        "init", "init", "Make the home folder, the master key, the admin file and the database; keep what is there."
    ),
    "import": Verb(
        "import_",
        "import_",
        "Import a fleet: check the file and each number at Graph, write all rows or none, choose each itinerary.",
    ),
    "preflight": Verb(
        "preflight",
        "preflight_",
        "Check every number against both sides. Nothing is changed at Meta, at an instance or at a partner.",
    ),
    "plan": Verb(
        "plan", "plan", "Make a wave, or change one: all of it before it has begun, its window until it is over."
    ),
    "run": Verb("run", "run_", "Move numbers as far as they can go now. Safe to stop and to run again at any time."),
    "status": Verb("status", "status", "Show every number: side, status, outage, whose move, what to type next."),
    "show": Verb("show", "show", "Show one number: where it is, how it got there, what was sent, what comes next."),
    "report": Verb(
        "report",
        "report",
        "Write the account of a fleet or a wave in Markdown: decisions, figures, every number, and what is left to do.",
    ),
    "parity": Verb(
        "parity",
        "parity",
        "Compare what is true of moved numbers now with what was true before: a line each. Changes nothing at Meta.",
    ),
    "prove": Verb(
        "prove",
        "prove",
        "Prove again that a moved number works: send one more message, or choose how it is proved.",
    ),
    "callers": Verb(
        "callers",
        "callers",
        "List what a customer's programs change for each number, and read which side they still call.",
    ),
    "enter-code": Verb(
        "enter_code",
        "enter_code_",
        "Type in the verification code of a number. It is read from a prompt, so no shell keeps it in its history.",
    ),
    "ask-code": Verb(
        "ask_code",
        "ask_code_",
        "Say that somebody is at the phone of a number, so that its code may be asked for. Workers ask; this does not.",
    ),
    "rooms": Verb(
        "rooms",
        "rooms",
        'Write a link to its own page for every number of a wave: slot, consent, "send the code now", entering it.',
    ),
    "move": Verb(
        "move", "move", "Move numbers that have not crossed to another wave, or out of their wave: all of them or none."
    ),
    "hold": Verb(
        "hold", "hold", "Hold a number or a wave before its cutover. Works while workers run; `release` lets it go."
    ),
    "release": Verb(
        "release",
        "release",
        "Let a number or a wave cross. A held or halted wave goes on; a release that was wider can be narrowed.",
    ),
    "stop": Verb("stop", "stop", "Stop a wave for good; `hold` is what can be taken back."),
    "abort": Verb(
        "abort", "abort_", "End the migration of numbers before their point of no return. Each stays where it serves."
    ),
    "resolve": Verb(
        "resolve",
        "resolve",
        "Decide what becomes of a number that is blocked, dark or waiting. Exactly one decision at a time.",
    ),
    "back-to-onprem": Verb(
        "back_to_onprem",
        "back_to_onprem_",
        "Take a number back to On-Premises, where a way back exists. It is another outage.",
    ),
    "runbook": Verb("runbook", "runbook", "List the runbooks, open one, or open one filled in for a number."),
    "sweep": Verb(
        "sweep",
        "sweep",
        "Go on with every number that is due and that nobody moves. What nobody has begun yet is left alone.",
    ),
    "notify": Verb(
        "notify",
        "notify",
        "List what people have to know now, send every target a trial message, or take a cause over.",
    ),
    "fact": Verb(
        "fact", "fact", "List what was measured at Meta, or state such a fact. It applies to every number from now on."
    ),
    "backup": Verb(
        "backup",
        "backup",
        "Write database and shelf of backups into one file, while workers run. The master key is never in it.",
    ),
    "restore": Verb(
        "restore",
        "restore_",
        "Put database and shelf back from a backup. Stop every worker first. No number moves before it was looked at.",
    ),
    "audit": Verb(
        "audit",
        "audit",
        "Check that nothing was changed, cut or added in the record of this home, or export it. Exit code 1 if it was.",
    ),
    "reveal": Verb(
        "reveal",
        "reveal",
        "Show the PIN of a number or the token of a profile. Who saw it, when and why is recorded before it is shown.",
    ),
    "rotate-pin": Verb(
        "rotate_pin",
        "rotate_pin_",
        "Set a new PIN for a number on Cloud whose migration has ended. `reveal` shows it, and records to whom.",
    ),
    "forget": Verb(
        "forget",
        "forget",
        "Erase a customer's name, numbers, contacts and secrets from every table, after the end of its migrations.",
    ),
    "secrets": Verb(
        "secrets", "secrets", "Show which secrets can be opened, and until when. None of them is opened or shown."
    ),
    "rotate-key": Verb(
        "rotate_key",
        "rotate_key",
        "Make a new master key and wrap every data key with it. Workers may run: they read the key file again.",
    ),
    "profile": Verb("profile", "profile", "List credential profiles, or give one its new token."),
    "demo": Verb(
        "demo",
        "demo",
        "Move 24 numbers of the sandbox, kill a worker in the middle, show how it ended. Takes two to three minutes.",
    ),
    "serve": Verb(
        "serve",
        "serve",
        "Serve the operators' pages, the code desk, customers' rooms and metrics, and move what comes due.",
    ),
    "deploy": Verb(
        "deploy",
        "deploy",
        "Register the deployments with the Prefect server at PREFECT_API_URL. Run it again when waves change.",
    ),
    "worker": Verb(
        "worker",
        "worker",
        "Start a worker for the flows that `cutover deploy` registered. Ctrl-C ends it; numbers stay where they are.",
    ),
    "sandbox": Verb(
        "sandbox",
        "sandbox",
        "Serve the sandbox: both APIs, the phone network, a consumer's phone and a partner's senders.",
        passes_options_on=True,
    ),
}


class Commands(Mapping[str, Any]):
    """The commands by name, as Typer keeps them in a group; each is made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name, VERBS[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _command(name: str, verb: Verb) -> Any:
    function = getattr(import_module(f"migration.cli.{verb.module}"), verb.function)
    options: dict[str, Any] = {}
    if verb.passes_options_on:
        options["context_settings"] = {"allow_extra_args": True, "ignore_unknown_options": True}
        options["add_help_option"] = False
    info = CommandInfo(name=name, cls=_Command, callback=function, **options)
    return get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return take_as_typed(super().get_params(ctx))


class _AsTyped:
    """For texts and flags, in place of Typer's models of pydantic, whose import costs a command 60 ms of CPU."""

    def coerce(self, value: Any, **_: Any) -> Any:
        return value


def take_as_typed(parameters: list[Any]) -> list[Any]:
    """Texts and flags. Where Typer keeps its converter elsewhere, nothing changes but the cost: a test notices."""
    for parameter in parameters:
        annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
        is_one = parameter.nargs == 1 and not parameter.multiple and parameter.envvar is None
        if annotation in (str, bool) and is_one:
            parameter._runtime_param = _AsTyped()  # noqa: SLF001  Typer has no public place for it
    return parameters
