"""The baseline, a plain asyncio script of Meta's guide: `python -m bench.plain_script MANIFEST AT_ONCE CALLS`.

For each number: log in, secure the PIN, back up, register with the backup, send a message; and as many readings of both
sides as make CALLS calls a number. With a fourth argument, a SQLite file, it commits a row after each of STEPS steps.
Prints one JSON line: CPU seconds of this process and the numbers moved.
"""

import asyncio
import base64
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import httpx

STEPS = 17
WRITES = 5  # login, two-step, backup, register, message


class Script:
    def __init__(self, manifest: dict[str, Any], at_once: int, calls: int, rows: str | None) -> None:
        self.manifest, self.calls = manifest, calls
        self.turns = asyncio.Semaphore(at_once)
        self.client = httpx.AsyncClient(trust_env=False, timeout=60, limits=httpx.Limits(max_connections=2 * at_once))
        self.graph = manifest["graph_url"].rstrip("/") + "/v25.0"
        self.headers = {"Authorization": f"Bearer {manifest['token']}"}
        self.rows = sqlite3.connect(rows) if rows else None
        if self.rows is not None:
            self.rows.execute("PRAGMA journal_mode=WAL")
            self.rows.execute("PRAGMA synchronous=FULL")
            self.rows.execute("CREATE TABLE steps (number TEXT, step INTEGER)")

    async def call(self, method: str, url: str, headers: dict[str, str], body: Any = None) -> Any:
        response = await self.client.request(method, url, headers=headers, json=body)
        response.raise_for_status()
        return response.json() if response.content else {}

    async def move(self, number: dict[str, Any]) -> None:
        async with self.turns:
            url, node = number["onprem_url"].rstrip("/"), f"{self.graph}/{number['phone_number_id']}"
            sign_in = base64.b64encode(f"{number['username']}:{number['password']}".encode()).decode()
            answer = await self.call("POST", f"{url}/v1/users/login", {"Authorization": f"Basic {sign_in}"}, {})
            client = {"Authorization": f"Bearer {answer['users'][0]['token']}"}
            readings = self.calls - WRITES
            for place in range(readings):
                if place % 2:
                    await self.call("GET", f"{url}/v1/health", client)
                else:
                    await self.call("GET", f"{node}?fields=id,status,platform_type", self.headers)
            await self.call("POST", f"{url}/v1/settings/account/two-step", client, {"pin": "246810"})
            password = base64.urlsafe_b64encode(b"plain script, no state").decode()
            backup = await self.call("POST", f"{url}/v1/settings/backup", client, {"password": password})
            body = {
                "messaging_product": "whatsapp",
                "pin": "246810",
                "backup": {"data": backup["settings"]["data"], "password": password},
            }
            await self.call("POST", f"{node}/register", self.headers, body)
            message = {
                "messaging_product": "whatsapp",
                "to": "+15550109999",
                "type": "template",
                "template": {"name": "hello_world", "language": {"code": "en_US"}},
            }
            await self.call("POST", f"{node}/messages", self.headers, message)
            for step in range(STEPS if self.rows is not None else 0):
                assert self.rows is not None
                self.rows.execute("INSERT INTO steps VALUES (?, ?)", (number["e164"], step))
                self.rows.commit()

    async def run(self) -> None:
        cpu = time.process_time()
        numbers = self.manifest["numbers"]
        await asyncio.gather(*(self.move(number) for number in numbers))
        print(json.dumps({"cpu": time.process_time() - cpu, "moved": len(numbers)}))
        await self.client.aclose()
        if self.rows is not None:
            self.rows.close()


async def main(manifest: dict[str, Any], at_once: int, calls: int, rows: str | None) -> None:
    await Script(manifest, at_once, calls, rows).run()


if __name__ == "__main__":
    path, at_once, calls, *rows = sys.argv[1:]
    asyncio.run(main(json.loads(Path(path).read_text()), int(at_once), int(calls), rows[0] if rows else None))
