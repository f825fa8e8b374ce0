"""The command that stops or starts the On-Premises client of a number, as the admin file names it."""

from migration.errors import Rejected
from migration.steps.number import Number
from migration.steps.outcomes import Intent


async def run_client_command(number: Number, intent: Intent) -> None:
    """Run the command of an intent. Raises Rejected where it fails; what it did is read afterwards."""
    instance = number.state.instance
    assert instance is not None
    command = str(intent.facts["command"])
    result = await number.commands.run(command, instance.command_arguments, send_by=intent.send_by)
    if not result.ok:
        raise Rejected(f"the command {command} failed", None, result.detail)
