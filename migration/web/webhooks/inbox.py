"""Makes what has arrived durable: one transaction for all that waits, and nobody is answered before its end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from migration.web.answers import Refused
from migration.web.webhooks.counts import WebhookCounts
from state.ledger.webhooks import StoredUpdates, WebhookUpdate

MOST_WAITING = 8_000  # updates
MOST_READ = 64 * 1024 * 1024  # bytes of bodies that are read at the same time
GROUP = 2_000  # updates of one transaction, more only where one post has more
AGAIN_S = 5  # Meta itself tries again, with growing gaps, for days

Store = Callable[[Sequence[WebhookUpdate]], Awaitable[StoredUpdates]]


@dataclass(frozen=True, slots=True)
class _Post:
    updates: Sequence[WebhookUpdate]
    stored: asyncio.Future[None]


@dataclass(slots=True)
class Inbox:
    """`store` returns when what it was given is durable."""

    store: Store
    most_waiting: int = MOST_WAITING
    counts: WebhookCounts = field(default_factory=WebhookCounts)
    _posts: list[_Post] = field(default_factory=list)
    _waiting: int = 0  # updates, with those that are being written
    _reading: int = 0  # bytes
    _writer: asyncio.Task[None] | None = None

    @contextmanager
    def reading(self) -> Iterator[Callable[[int], None]]:
        """While a body is read: call it with the bytes of each part. It raises Refused where too many are kept by now.

        What a sender says about the length counts nothing: connections that send nothing keep nobody else out.
        """
        kept = 0

        def count(length: int) -> None:
            nonlocal kept
            if self._reading > kept and self._reading + length > MOST_READ:  # others are read beside it
                raise full()
            self._reading += length
            kept += length

        try:
            yield count
        finally:
            self._reading -= kept

    async def keep(self, updates: Sequence[WebhookUpdate]) -> None:
        """Returns when all of them are durable. Raises Refused where too many wait, or what the database raised."""
        if self._waiting and self._waiting + len(updates) > self.most_waiting:
            raise full()
        if not updates:
            return
        post = _Post(updates, asyncio.get_running_loop().create_future())
        self._posts.append(post)
        self._waiting += len(updates)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.ensure_future(self._write_all())
        await post.stored

    async def _write_all(self) -> None:
        while self._posts:
            group = self._take()
            try:
                stored = await self.store([update for post in group for update in post.updates])
            except Exception as exc:  # noqa: BLE001 -- each sender is told, and sends again
                self._settle(group, exc)
            else:
                self.counts.received += stored.stored + stored.duplicates + stored.not_ours
                self.counts.stored += stored.stored
                self.counts.duplicates += stored.duplicates
                self.counts.not_ours += stored.not_ours
                self._settle(group, None)

    def _take(self) -> list[_Post]:
        size, count = 0, 0
        for post in self._posts:
            size += len(post.updates)
            if count and size > GROUP:
                break
            count += 1
        group = self._posts[:count]
        del self._posts[:count]
        return group

    def _settle(self, group: Sequence[_Post], error: Exception | None) -> None:
        for post in group:
            self._waiting -= len(post.updates)
            if post.stored.done():  # its sender has gone
                continue
            if error is None:
                post.stored.set_result(None)
            else:
                post.stored.set_exception(error)


def full() -> Refused:
    return Refused(503, "too much is waiting to be stored; send it again later", retry_after_s=AGAIN_S)
