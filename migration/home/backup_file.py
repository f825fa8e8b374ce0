"""One file that holds a home: all rows, the shelf of backups and a manifest; never the master key.

The first line has the checksum of all that follows, a ZIP archive: `manifest.json`, `tables/NAME.jsonl`, `shelf/NAME`.
Secrets are in it as they are in the database: sealed under the master key, which is kept elsewhere.
"""

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from migration.errors import BadSetting
from migration.vault.private_file import open_temporary

FORMAT = 1
HEAD = b"cutover backup, sha256 of what follows: "
HEAD_BYTES = len(HEAD) + 64 + 1
CHUNK = 1 << 20


class BadBackup(BadSetting):
    """The backup cannot be made or read. Nothing was changed."""


@dataclass
class Manifest:
    """`parts`: the checksum of each part; `columns`: of each table; `counts`: its rows."""

    home_id: str
    key_id: str | None
    revision: str
    taken_at: str
    openings: int
    epoch: int
    database: str
    format: int = FORMAT
    shelf_files: int = 0
    columns: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


class BackupWriter:
    """Writes parts, and looks in each for what must not be in the file."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest, forbidden: Sequence[bytes]) -> None:
        self._archive = archive
        self.manifest = manifest
        self._forbidden = forbidden

    def add(self, name: str, lines: Iterable[bytes]) -> int:
        """Write a part. Returns how many lines it has. Raises BadBackup where one holds a master key."""
        digest, count = hashlib.sha256(), 0
        with self._archive.open(name, "w", force_zip64=True) as part:
            for line in lines:
                if any(secret in line for secret in self._forbidden):
                    raise BadBackup(f"{name} holds the master key; no backup was written. Remove the key from there")
                digest.update(line)
                part.write(line)
                count += 1
        self.manifest.parts[name] = digest.hexdigest()
        return count

    def finish(self) -> None:
        self._archive.writestr("manifest.json", json.dumps(asdict(self.manifest)))


@contextmanager
def writing(path: Path, manifest: Manifest, forbidden: Sequence[bytes]) -> Iterator[BackupWriter]:
    """The complete file or none, readable by its owner only. Raises BadBackup for a path that exists."""
    if path.exists():
        raise BadBackup(f"{path} exists; a backup overwrites nothing, give another name")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = open_temporary(temporary, path)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            file.write(HEAD + b"0" * 64 + b"\n")
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                writer = BackupWriter(archive, manifest, forbidden)
                yield writer
                writer.finish()
            file.seek(HEAD_BYTES)
            checksum = _checksum(file)
            file.seek(len(HEAD))
            file.write(checksum.encode())
            file.flush()
            os.fsync(file.fileno())
        _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> None:
    """A link fails where the name was taken meanwhile; a rename would overwrite."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise BadBackup(f"{path} exists; a backup overwrites nothing, give another name") from None
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class BackupReader:
    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self._archive = archive
        self.manifest = manifest

    def lines(self, name: str) -> Iterator[str]:
        with self._archive.open(name) as part:
            for line in part:
                yield line.decode()

    def shelf(self) -> Iterator[tuple[str, bytes]]:
        for name in self.manifest.parts:
            folder, _, file_name = name.partition("/")
            if folder == "shelf":
                yield file_name, self._archive.read(name)


@contextmanager
def reading(path: Path) -> Iterator[BackupReader]:
    """Every checksum has been compared before this gives anything. Raises BadBackup with one line."""
    damaged = BadBackup(f"{path} is damaged or was not written to its end; nothing was changed. Take another backup")
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        head = file.read(HEAD_BYTES)
        if not head.startswith(HEAD[: len(head)]) or not head:
            raise BadBackup(f"{path} is not a backup of cutover; nothing was changed")
        if head[-1:] != b"\n" or len(head) < HEAD_BYTES or _checksum(file).encode() != head[len(HEAD) : -1]:
            raise damaged
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            manifest = _manifest(path, json.loads(archive.read("manifest.json")))
            _check_parts(archive, manifest, damaged)
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, RecursionError):
            raise damaged from None
        yield BackupReader(archive, manifest)


def _manifest(path: Path, document: dict[str, Any]) -> Manifest:
    if document.get("format") != FORMAT:
        raise BadBackup(f"{path} has format {document.get('format')}, this cutover reads {FORMAT}: use the newer one")
    return Manifest(**document)


def _check_parts(archive: zipfile.ZipFile, manifest: Manifest, damaged: BadBackup) -> None:
    if set(archive.namelist()) != {*manifest.parts, "manifest.json"}:
        raise damaged
    for name, checksum in manifest.parts.items():
        with archive.open(name) as part:
            if _checksum(part) != checksum:
                raise damaged


def _checksum(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
