"""`cutover sandbox`: the simulator of both APIs, as a server of its own."""

import typer

from migration.sandbox.__main__ import main


def sandbox(context: typer.Context) -> None:
    """Serve the sandbox: both APIs, the phone network, a consumer's phone and a partner's senders."""
    raise typer.Exit(main(context.args) or 0)
