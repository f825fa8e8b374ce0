"""`cutover sweep --follow`: a sweep that stays. `cutover serve` runs one as its child."""

import os

from migration.cli.exit_codes import ExitCode
from migration.cli.session import open_cli_app
from migration.operations.housekeeping import destroy_what_is_due
from migration.waves.loop import SWEEP_EVERY, NumberSelection, WaveLoop

CONCURRENCY = 20
HOUSEKEEPING_EVERY_S = 60.0


async def follow_fleet(parent: int | None) -> int:
    """Until it is stopped, or `parent` is no longer the process that started this one."""
    async with open_cli_app() as app:
        loop = WaveLoop(app, app.runner.run_one, concurrency=CONCURRENCY, patience=SWEEP_EVERY, stays=True)
        next_housekeeping = app.clock.boot_time()

        async def tick() -> None:
            nonlocal next_housekeeping
            if parent is not None and os.getppid() != parent:
                app.stop.request()
            if app.clock.boot_time() >= next_housekeeping:
                next_housekeeping = app.clock.boot_time() + HOUSEKEEPING_EVERY_S
                await app.ledger.waves.finish()
                await destroy_what_is_due(app)

        await loop.run(NumberSelection(begun=True), tick)
    return ExitCode.DONE
