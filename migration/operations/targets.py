"""Finding what an operator named: a wave or a number."""

from migration.app import App
from state.errors import NotFound, NotMigrated
from state.rows import Position, WaveRow


async def find_target(app: App, name: str) -> WaveRow | Position:
    """The wave of that name, else the newest migration of the number with that reference, E.164 or phone number id.

    Raises NotFound, or NotMigrated for a number that is imported but has no migration.
    """
    for row in await app.queries.waves.all():
        if row.name == name:
            return row
    try:
        return await app.queries.positions.find(name)
    except NotMigrated:
        raise
    except NotFound as exc:
        raise NotFound(f"there is no wave and no number {name}; `cutover status` lists both") from exc
