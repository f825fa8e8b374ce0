"""`cutover serve`: pages for operators and customers, doors for gateways, and a child that moves what comes due."""

import sys
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, operator_name


def serve(
    host: Annotated[str, typer.Option(help="Where the operators' pages listen. Default: this machine alone.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Default: 8451, or a free one where that is taken; 0: a free one."),
    ] = None,
    no_moves: Annotated[
        bool, typer.Option("--no-moves", help="Pages only: workers or sweeps elsewhere move numbers and tell people.")
    ] = False,
) -> None:
    """Serve the operators' pages, the code desk, customers' rooms and metrics, and move what comes due.

    Prints one line of JSON when it is ready: url, pages_url (which signs in whoever reads it), metrics_url,
    webhook_urls, public_url.
    """
    run_verb(_serve(host, port, moves=not no_moves), ends_itself=True)


async def _serve(host: str, port: int | None, *, moves: bool) -> int:
    from migration.web.serving import Options
    from migration.web.serving import serve as serve_pages

    async with open_cli_app() as app:
        await serve_pages(app, Options(host, port, moves), operator_name(), _print_ready)
    return ExitCode.DONE


def _print_ready(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
