"""`cutover sandbox`: the simulator of both APIs, as a server of its own."""

import argparse

import typer

from migration.cli.console import ExitCode, open_cli_app, print_line, run_to_exit_code
from migration.fleet.field_facts import as_switches, as_world
from sandbox.__main__ import parser, start


def sandbox(context: typer.Context) -> None:
    """Serve the sandbox: both APIs, the phone network, a consumer's phone and a partner's senders."""
    made = parser("cutover sandbox")
    made.add_argument(
        "--as-measured", action="store_true", help="switches as the field facts of this fleet say (`cutover fact`)"
    )
    told = made.parse_args(context.args)
    if told.as_measured and (code := run_to_exit_code(_set(told))):
        raise typer.Exit(code)
    raise typer.Exit(start(told))


async def _set(told: argparse.Namespace) -> int:
    """What was measured stands behind what was typed: a later `--switch` of the same name wins."""
    async with open_cli_app(dry_run=True) as app:
        measured = await app.queries.field_facts()
    switches, world = as_switches(measured), as_world(measured)
    if world is not None and told.world is None and told.scenario is None:
        told.world = world
    told.switch = [*switches, *told.switch]
    print_line(
        f"as measured: {', '.join(f'{name}={value}' for name, value in measured.items()) or 'nothing yet'}",
        as_json=True,
    )
    return ExitCode.DONE
