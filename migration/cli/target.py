"""The wave or the number that a verb is about."""

from migration.app import App
from migration.cli.running import usage_error
from migration.cli.session import open_cli_app
from migration.operations.targets import find_target
from migration.waves.loop import NumberSelection
from state.rows import Position, WaveRow


async def is_wave(name: str) -> bool:
    """True for a wave, False for a number. Raises NotFound."""
    _reject_blank(name)
    async with open_cli_app(dry_run=True) as app:
        return isinstance(await find_target(app, name), WaveRow)


async def select_target(app: App, name: str | None) -> tuple[NumberSelection, list[Position]]:
    """The numbers of a wave, one number or, for None, all numbers. Raises NotFound."""
    if name is None:
        return NumberSelection(), list(await app.queries.positions.board())
    _reject_blank(name)
    target = await find_target(app, name)
    if isinstance(target, WaveRow):
        return NumberSelection(wave=target.name), list(await app.queries.positions.board(wave=target.name))
    return NumberSelection(only={target.migration_id}), [target]


def _reject_blank(name: str) -> None:
    if not name.strip():
        usage_error("which number or wave? `cutover status` lists both")
