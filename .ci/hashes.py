"""The sha256 of every file of a version that pip could install from, on whatever platform: for `--require-hashes`.

Asks the indexes that pip is configured with, by pip's own code, so no address stands anywhere in this repository.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version
from pip._internal.commands.index import IndexCommand
from pip._internal.index.collector import parse_links


def hashes_of(versions: Mapping[str, set[str]]) -> dict[tuple[str, str], list[str]]:
    """By name and version, of the versions of each name; sorted."""
    command: Any = IndexCommand("index", "all files of a version")
    options, _ = command.parse_args(["versions", "any"])
    with command.main_context():
        finder = command._build_package_finder(options, command.get_default_session(options))  # noqa: SLF001
        collector = finder._link_collector  # noqa: SLF001
        return {
            (name, version): sorted({digest for found, digest in files if found == Version(version)})
            for name, wanted in versions.items()
            for files in [list(_files(collector, name, {Version(version) for version in wanted}))]
            for version in wanted
        }


def _files(collector: Any, name: str, wanted: set[Version]) -> Iterator[tuple[Version, str]]:
    sources = collector.collect_sources(project_name=name, candidates_from_page=lambda link: [])
    for source in (*sources.index_urls, *sources.find_links):
        link = getattr(source, "link", None)
        if link is None:
            continue
        page = None if link.is_existing_dir() else collector.fetch_response(link)
        links = parse_links(page) if page is not None else source.file_links()
        for file in links:
            version = _version(file.filename, name)
            if version in wanted and not file.is_yanked:
                yield version, file.hash if file.hash_name == "sha256" else _of_local(file)


def _version(file_name: str, name: str) -> Version | None:
    try:
        parse = parse_wheel_filename if file_name.endswith(".whl") else parse_sdist_filename
        found, version, *_ = parse(file_name)
    except ValueError:
        return None
    return version if found == canonicalize_name(name) else None


def _of_local(file: Any) -> str:
    """Of a file in a folder of wheels, which comes without a hash. An index without hashes cannot be locked against."""
    if not file.is_file:
        raise SystemExit(f"{re.sub('[?#].*', '', file.filename)} comes without a hash")
    return hashlib.sha256(Path(file.file_path).read_bytes()).hexdigest()
