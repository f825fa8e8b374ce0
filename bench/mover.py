"""One process that moves a fleet as `cutover run` does, or as the flow does, and says what it cost.

    python -m bench.mover import                      the home's fleet.csv
    python -m bench.mover run AT_ONCE [PART PARTS]    the wave, or a part of it
    python -m bench.mover flow                        the wave in the flow of `cutover deploy`, at PREFECT_API_URL

The home is that of CUTOVER_HOME. Prints one JSON line: CPU seconds of this process, seconds, numbers moved, statements,
commits, most memory in MiB, and the CPU seconds of the first and of the last third of the numbers that ended.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import event

from bench.spent import Spent
from migration.app import App, open_app
from migration.demo.partner_files import WAVE
from migration.fleet.importing import import_fleet
from migration.operations.waves import begin_wave
from migration.settings import read_settings
from migration.steps.outcomes import Advanced
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side

Result = dict[str, float]
PATIENCE = timedelta(seconds=90)  # as the flow has it


def counted(app: App) -> Counter[str]:
    """Counts the statements and commits of the worker's engine from now on."""
    counts: Counter[str] = Counter()
    engine = app.database.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *_: counts.update(["statements"]))
    event.listen(engine, "commit", lambda _: counts.update(["commits"]))
    return counts


async def take_in() -> Result:
    settings = read_settings()
    async with open_app(settings) as app:
        spent = Spent()
        await import_fleet(app, settings.home / "fleet.csv", "bench", lambda done, of: None)
        return spent.result()


async def move(at_once: int, part: int = 0, parts: int = 1) -> Result:
    async with open_app(read_settings()) as app:
        await begin_wave(app, WAVE, "bench")
        counts, spent = counted(app), Spent()
        ended: list[float] = []

        async def run_one(migration_id: int) -> object:
            outcome = await app.runner.run_one(migration_id)
            if isinstance(outcome, Advanced) and outcome.ended:
                ended.append(spent.cpu())
            return outcome

        loop = WaveLoop(app, run_one, concurrency=at_once, patience=PATIENCE)
        await loop.run(NumberSelection(WAVE, part, parts))
        return spent.result() | dict(counts) | thirds(ended, at_once) | {"moved": await moved(app)}


def thirds(ended: Sequence[float], at_once: int) -> dict[str, float]:
    """CPU of the first and of the last third, without those that began or ended while fewer than `at_once` moved."""
    steady = ended[at_once : -at_once or None]
    third = len(steady) // 3
    return {"first": steady[third] - steady[0], "last": steady[-1] - steady[-third - 1]} if third else {}


def flow() -> Result:
    from flows.run_wave import run_wave

    spent = Spent()
    asyncio.run(run_wave(wave=WAVE, patience_s=PATIENCE.total_seconds(), gate_min=0))
    return spent.result() | {"moved": asyncio.run(moved_in_home())}


async def moved_in_home() -> int:
    async with open_app(read_settings()) as app:
        return await moved(app)


async def moved(app: App) -> int:
    """How many numbers of the fleet are on Cloud."""
    return sum(position.side is Side.CLOUD for position in await app.queries.positions.board())


def main(what: str, *numbers: str) -> Result:
    if what == "flow":
        return flow()
    return asyncio.run(take_in() if what == "import" else move(*map(int, numbers)))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
