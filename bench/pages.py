"""What the pages of `cutover serve` cost at 50,000 numbers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

from bench.homes import imported
from bench.reading import copy_number
from bench.sizes import scaled
from bench.table import Row

NUMBERS, TURNS, MOST_MS = 50_000, 5, 300
LIMIT = """A page asks the database for what it shows and for counts; no page reads a fleet. The counts are the part
that grows with the fleet."""


def run() -> Iterator[Row]:
    count = scaled(NUMBERS)
    with imported("--numbers", "6", "--kinds", "dark") as (environment, _):
        copy_number(Path(environment["CUTOVER_HOME"], "cutover.db"), count)
        command = [sys.executable, "-m", "migration.cli", "serve", "--port", "0", "--no-moves"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            browser = build_opener(HTTPCookieProcessor())
            browser.open(ready["pages_url"]).read()
            pages = {
                "the first page": "/",
                "the list of numbers": "/numbers",
                "the last page of the list": f"/numbers?page={count // 100}",
                "the list of those that are blocked": "/numbers?status=blocked",
                "one number": "/numbers/N-0001",
                "a wave": "/waves/1",
                "the code desk": "/desk",
                "/metrics": "/metrics",
            }
            for name, path in pages.items():
                took = min(_took(lambda path=path: browser.open(ready["url"] + path).read()) for _ in range(TURNS))
                yield Row(f"{name}, of {count:,} numbers", f"{took:.0f} ms", f"{MOST_MS} ms or less", took <= MOST_MS)
            process.terminate()


def _took(ask: object) -> float:
    began = time.perf_counter()
    ask()  # type: ignore[operator]
    return (time.perf_counter() - began) * 1000
