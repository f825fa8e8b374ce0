"""One process that moves a fleet, as `cutover run` does: `python -m bench.mover CONCURRENCY`.

The home is that of CUTOVER_HOME. Prints one JSON line: CPU seconds of this process, seconds, numbers moved, and the
CPU seconds of the first and the last third of them.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta

from migration.app import App, open_app
from migration.fleet.importing import import_fleet
from migration.settings import read_settings
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side


async def main(concurrency: int) -> None:
    settings = read_settings()
    async with open_app(settings) as app:
        await import_fleet(app, settings.home / "fleet.csv", "bench", lambda done, of: None)
        ended: list[float] = []

        async def run_one(migration_id: int) -> object:
            outcome = await app.runner.run_one(migration_id)
            ended.append(time.process_time())
            return outcome

        cpu, began = time.process_time(), time.perf_counter()
        loop = WaveLoop(app, run_one, concurrency=concurrency, patience=timedelta(seconds=40))
        await loop.run(NumberSelection())
        spent, seconds = time.process_time() - cpu, time.perf_counter() - began
        third = max(len(ended) // 3, 1)
        result = {"cpu": spent, "seconds": seconds, "moved": await _moved(app)}
        result |= {"first": ended[third - 1] - cpu, "last": ended[-1] - ended[-third - 1]}
        print(json.dumps(result))


async def _moved(app: App) -> int:
    return sum(position.side is Side.CLOUD for position in await app.queries.positions.board())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
