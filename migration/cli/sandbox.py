"""`cutover sandbox`: starts `python -m sandbox`, the simulator of both APIs, in place of this process."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from migration.cli.console import ExitCode, open_cli_app, print_line, run_to_exit_code
from migration.fleet.field_facts import as_switches, as_world
from migration.runtime.process_tree import CODE_FOLDER

AS_MEASURED = "--as-measured"
HELP = f"""{AS_MEASURED} sets switches and world as the field facts of this fleet say (`cutover fact`).
The other options:
"""


def sandbox(context: typer.Context) -> None:
    """Serve the sandbox: both APIs, the phone network, a consumer's phone and a partner's senders."""
    arguments = list(context.args)
    if {"-h", "--help"} & set(arguments):
        print_line(HELP)
    elif AS_MEASURED in arguments:
        arguments = [argument for argument in arguments if argument != AS_MEASURED]
        measured: dict[str, str] = {}
        if code := run_to_exit_code(_read(measured)):
            raise typer.Exit(code)
        arguments = [*options(measured, has_scenario=_names_a_scenario(arguments)), *arguments]
    _replace_process(arguments)


async def _read(measured: dict[str, str]) -> int:
    """Puts the field facts of this fleet into `measured`."""
    async with open_cli_app(dry_run=True) as app:
        measured.update(await app.queries.fleet.field_facts())
    values = ", ".join(f"{name}={value}" for name, value in measured.items())
    print_line(f"as measured: {values or 'nothing yet'}", as_json=True)
    return ExitCode.DONE


def options(measured: Mapping[str, str], *, has_scenario: bool) -> list[str]:
    """Options that set what was measured. They stand before what was typed, where a later one of the same name wins.

    A scenario has a world of its own.
    """
    world = None if has_scenario else as_world(measured)
    switches = [word for switch in as_switches(measured) for word in ("--switch", switch)]
    return [*(["--world", world] if world is not None else []), *switches]


def _names_a_scenario(arguments: Sequence[str]) -> bool:
    """Also where the option is abbreviated, as argparse allows."""
    names = (word.partition("=")[0] for word in arguments)
    return any(len(name) > len("--s") and "--scenario".startswith(name) for name in names)


def _replace_process(arguments: Sequence[str]) -> NoReturn:
    """Become the sandbox: its output, its exit code and the signals for it are then this command's own."""
    paths = filter(None, [str(CODE_FOLDER), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SANDBOX_PROG": "cutover sandbox"}
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder named `sandbox` where the command was typed must not be taken for the package.
    command = [sys.executable, "-P", "-m", "sandbox", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606  our own interpreter; the arguments reach no shell
