"""Writes anchors of the record: to the file, and to the webhook where one is named."""

import asyncio
from dataclasses import dataclass

from migration.clients.http import HttpClient
from migration.errors import MigrationError
from migration.home.record_anchor import RecordAnchor
from migration.runtime.log import get_logger
from state.queries.queries import Queries

WEBHOOK_S = 5.0
_LOG = get_logger("anchors")


@dataclass(frozen=True, slots=True)
class AnchorWriter:
    """`webhook` takes each line as the body of a POST; what it answers is not read."""

    anchor: RecordAnchor
    queries: Queries
    http: HttpClient
    webhook: str | None

    async def write(self) -> None:
        """Add a line where a chain has moved since the last one.

        A file that cannot be written, or a webhook that does not answer, is said in the log and stops nothing.
        """
        try:
            line = await asyncio.to_thread(self.anchor.write, await self.queries.heads.read())
        except OSError as exc:
            _LOG.warning("the record could not be anchored in %s: %s", self.anchor.path, exc.strerror)
            return
        if line is not None and self.webhook is not None:
            await self._send(self.webhook, line)

    async def _send(self, webhook: str, line: str) -> None:
        try:
            answer = await self.http.send(
                "POST",
                webhook,
                call="the record's anchor",
                by=self.http.within(WEBHOOK_S),
                write=True,
                headers={"Content-Type": "application/json"},
                content=line.encode(),
            )
        except MigrationError as exc:
            _LOG.warning("the record's anchor did not reach its webhook: %s", exc)
            return
        if not answer.is_success:
            _LOG.warning("the webhook of the record's anchor answered %d", answer.status_code)
