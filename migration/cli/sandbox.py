"""`cutover sandbox`: starts `python -m sandbox`, the simulator of both APIs, in place of this process."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.output import print_line
from migration.cli.running import run_to_exit_code
from migration.cli.session import open_cli_app
from migration.fleet.field_facts import as_switches, as_world
from migration.runtime.process_tree import CODE_FOLDER
from migration.runtime.stop_request import PROCESS

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
        facts: dict[str, str] = {}
        if exit_code := run_to_exit_code(_read_field_facts(facts)):
            raise typer.Exit(exit_code)
        arguments = [*options(facts, has_scenario=_names_scenario(arguments)), *arguments]
    _replace_process(arguments)


async def _read_field_facts(facts: dict[str, str]) -> int:
    """Read the field facts of this fleet into `facts`."""
    async with open_cli_app(dry_run=True) as app:
        facts.update(await app.queries.fleet.field_facts())
    values = ", ".join(f"{name}={value}" for name, value in facts.items())
    print_line(f"as measured: {values or 'nothing yet'}", as_json=True)
    return ExitCode.DONE


def options(facts: Mapping[str, str], *, has_scenario: bool) -> list[str]:
    """Options that set what was measured. They stand before what was typed: a later option of the same name wins.

    A scenario has a world of its own.
    """
    world = None if has_scenario else as_world(facts)
    switches = [argument for switch in as_switches(facts) for argument in ("--switch", switch)]
    return [*(["--world", world] if world is not None else []), *switches]


def _names_scenario(arguments: Sequence[str]) -> bool:
    """Whether --scenario is given, also in the abbreviated form that argparse accepts."""
    names = (argument.partition("=")[0] for argument in arguments)
    return any(len(name) > len("--s") and "--scenario".startswith(name) for name in names)


def _replace_process(arguments: Sequence[str]) -> NoReturn:
    """Become the sandbox's process, so that its output, exit code and signals are those of this command."""
    paths = filter(None, [str(CODE_FOLDER), os.environ.get("PYTHONPATH")])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SANDBOX_PROG": "cutover sandbox"}
    sys.stdout.flush()
    sys.stderr.flush()
    if PROCESS.requested:  # the process that follows would not know of it
        raise typer.Exit(ExitCode.INTERRUPTED)
    # -P: a folder named `sandbox` in the current directory must not be imported instead of the package.
    command = [sys.executable, "-P", "-m", "sandbox", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606  our own interpreter; the arguments reach no shell
