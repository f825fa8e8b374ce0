"""SQLite as SQLAlchemy's asyncio part speaks to it: Python's own driver, called where the event loop runs.

A statement on a local file takes some ten microseconds; handing each to a thread and back cost many times that and kept
numbers that were dark waiting. Only what may take long goes to a thread: a COMMIT, which waits for the disk, many
rows, and a read whose caller says that it looks at the whole fleet. A transaction that writes begins with BEGIN
IMMEDIATE at its first statement that changes anything, and the writers of one process wait for each other in a queue of
their own, so that SQLite's lock is asked for by one of them.

SQLAlchemy's dialect `sqlite+aiosqlite` uses these classes in place of aiosqlite's: they have the methods that
`sqlalchemy/dialects/sqlite/aiosqlite.py` calls (SQLAlchemy 2.1).
"""

import asyncio
import random
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Self, TypeVar

T = TypeVar("T")

THREADS = 4  # commits wait for the disk one after another anyway
LONG_READS = 2  # at once, in threads of their own: no commit waits for them
FEW_ROWS = 200  # fetched or written where the loop runs; more of them go to a thread
# Between two tries for the lock that another process holds; a part of it by chance, so that two do not keep step.
TRY_AGAIN_S = 0.01
# After the lock was found taken by another process, this one has so many turns in a row, for so many seconds.
TURNS_IN_A_ROW, SHARES_FOR_S = 4, 5.0

_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|VALUES)\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*(BEGIN|SAVEPOINT)\b", re.IGNORECASE)
_WITH = re.compile(r"\s*WITH\b", re.IGNORECASE)
_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


# Whether a write of this task goes before those that wait: of a number that is dark, or may be soon.
GOES_FIRST: ContextVar[bool] = ContextVar("goes_first", default=False)
# Whether reads of this task look at every row of a table: several of them run beside each other and beside the loop.
TAKES_LONG: ContextVar[bool] = ContextVar("takes_long", default=False)


# So many of those that go first have a turn before one of the others has: nobody waits for ever.
FIRST_IN_A_ROW = 4


class WriterQueue:
    """One writer at a time. Those that go first have FIRST_IN_A_ROW turns for each of the others'."""

    def __init__(self) -> None:
        self._taken = False
        self._in_a_row = 0
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def acquire(self, *, first: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        (self._first if first else self._others).append(turn)
        try:
            await turn  # whoever ends its turn hands it over
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        order = [self._first, self._others]
        if self._in_a_row >= FIRST_IN_A_ROW:
            order.reverse()
        for waiting in order:
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._in_a_row = self._in_a_row + 1 if waiting is self._first else 0
                    turn.set_result(None)
                    return
        self._taken, self._in_a_row = False, 0


class SqliteFile:
    """What the connections of one engine share: the queue of its writers and its threads."""

    def __init__(self, patience_s: float, chance: Callable[[], float] | None = None) -> None:
        self._patience_s = patience_s
        # A generator of its own: the interpreter's common one may be seeded by whoever else runs in this process.
        self._chance = chance or random.Random().random  # noqa: S311 -- no secret
        self._writers = WriterQueue()
        self._busy_at, self._turns = float("-inf"), 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sqlite")
        self._long_reads = ThreadPoolExecutor(LONG_READS, thread_name_prefix="sqlite-long-read")

    async def connect(self, path: str, **options: Any) -> "SqliteConnection":
        """As `sqlite3.connect`. Raises sqlite3.OperationalError where the file cannot be opened."""
        options |= {"check_same_thread": False, "isolation_level": None}
        connection = sqlite3.connect(path, **options)
        return SqliteConnection(self, connection)

    async def take_turn(self) -> float:
        """Wait until no other writer of this process has the lock: until when to try for it. Raises as SQLite does."""
        until = asyncio.get_running_loop().time() + self._patience_s
        try:
            async with asyncio.timeout(self._patience_s):
                await self._writers.acquire(first=GOES_FIRST.get())
        except TimeoutError:
            raise locked() from None
        return until

    def end_turn(self) -> None:
        self._writers.release()

    def note_busy(self) -> None:
        """Another process has the lock."""
        self._busy_at = asyncio.get_running_loop().time()

    async def leave_to_others(self) -> None:
        """Where another process writes too, leave the lock free now and then for as long as it may sleep between tries.

        SQLite gives the lock to whoever asks first: a process with many writers would have it again before the other
        one asks.
        """
        if asyncio.get_running_loop().time() - self._busy_at > SHARES_FOR_S:
            return
        self._turns += 1
        if self._turns >= TURNS_IN_A_ROW:
            self._turns = 0
            await asyncio.sleep(2 * TRY_AGAIN_S)

    async def pause(self, until: float) -> None:
        """Between two tries for a lock that another process holds. Raises as SQLite does once `until` has passed."""
        if asyncio.get_running_loop().time() >= until:
            raise locked()
        await asyncio.sleep(TRY_AGAIN_S * (0.5 + self._chance()))

    def in_thread(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        threads = self._long_reads if TAKES_LONG.get() else self._threads
        return asyncio.get_running_loop().run_in_executor(threads, work)


def locked() -> sqlite3.OperationalError:
    """The error of SQLite for a lock that was not given in time."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY"
    return error


class SqliteConnection:
    """One connection, used by one task at a time."""

    def __init__(self, file: SqliteFile, connection: sqlite3.Connection) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = connection  # SQLAlchemy asks whether there is one
        self._pending: asyncio.Future[Any] | None = None  # work in a thread
        self._has_turn = False

    @property
    def raw(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("Connection closed")  # SQLAlchemy knows these words
        return self._connection

    def cursor(self) -> "SqliteCursor":
        return SqliteCursor(self, self.raw.cursor())

    async def ready_for(self, statement: str) -> None:
        """Begin a transaction before the first statement that changes something."""
        await self._pending_done()
        if self._has_turn:
            if not self.raw.in_transaction:
                raise sqlite3.OperationalError("the transaction was ended by an earlier error; nothing was changed")
        elif _changes(statement):
            await self._begin(begins_itself=_BEGINS.match(statement) is not None)

    async def _begin(self, *, begins_itself: bool) -> None:
        until = await self._file.take_turn()
        self._has_turn = True
        try:
            await self._file.leave_to_others()
            while not self._took_lock():
                self._file.note_busy()
                await self._file.pause(until)
            if begins_itself:
                self.raw.execute("ROLLBACK")
        except BaseException:
            self._end_turn()
            raise

    def _took_lock(self) -> bool:
        """SQLite itself would wait for the lock where the loop runs."""
        raw = self.raw
        patience = raw.execute("PRAGMA busy_timeout").fetchone()[0]
        raw.execute("PRAGMA busy_timeout=0")
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as exc:
            if not exc.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            return False
        finally:
            raw.execute(f"PRAGMA busy_timeout={int(patience)}")
        return True

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Work that goes on to its end where the caller is cancelled; the next call waits for it."""
        await self._pending_done()
        self._pending = self._file.in_thread(work)
        self._pending.add_done_callback(lambda _: self._end_turn_of_ended())
        return await asyncio.shield(self._pending)

    async def _pending_done(self) -> None:
        if self._pending is not None and not self._pending.done():
            await asyncio.wait([self._pending])

    async def commit(self) -> None:
        await self._pending_done()
        if self.raw.in_transaction:
            await self.in_thread(self.raw.commit)
        self._end_turn_of_ended()

    async def rollback(self) -> None:
        await self._pending_done()
        if self.raw.in_transaction:
            self.raw.rollback()
        self._end_turn_of_ended()

    def _end_turn_of_ended(self) -> None:
        if self._connection is None or not self._connection.in_transaction:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._file.end_turn()

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        self.raw.create_function(*arguments, **options)

    async def close(self) -> None:
        """Closing the last connection writes the log back into the file, which waits for the disk."""
        await self._pending_done()
        raw, self._connection = self.raw, None
        self._end_turn()
        await self._file.in_thread(raw.close)

    def stop(self) -> None:
        """Give the connection up without waiting, as SQLAlchemy does where the task that used it was cancelled."""
        raw, self._connection = self._connection, None
        if raw is None:
            return
        if self._pending is None or self._pending.done():
            raw.close()
            self._end_turn()
        else:
            self._pending.add_done_callback(lambda _: raw.close())


class SqliteCursor:
    def __init__(self, connection: SqliteConnection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "SqliteCursor":
        await self._connection.ready_for(statement)
        if TAKES_LONG.get():
            await self._connection.in_thread(lambda: self._cursor.execute(statement, parameters))
        else:
            self._cursor.execute(statement, parameters)
        return self

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> "SqliteCursor":
        await self._connection.ready_for(statement)
        rows = list(rows)
        if len(rows) <= FEW_ROWS:
            self._cursor.executemany(statement, rows)
        else:
            await self._connection.in_thread(lambda: self._cursor.executemany(statement, rows))
        return self

    async def fetchall(self) -> list[Any]:
        rows = self._cursor.fetchmany(FEW_ROWS)
        if len(rows) == FEW_ROWS:
            rows += await self._connection.in_thread(self._cursor.fetchall)
        return rows

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        return self._cursor.fetchmany(size or self._cursor.arraysize)

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def close(self) -> None:
        self._cursor.close()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    @property
    def arraysize(self) -> int:
        return self._cursor.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._cursor.arraysize = value


def _changes(statement: str) -> bool:
    """Whether a statement may change the database. `WITH` begins both kinds."""
    if _WITH.match(statement) is not None:
        return _CHANGES.search(statement) is not None
    return _READS.match(statement) is None
