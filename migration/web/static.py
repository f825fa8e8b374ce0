"""Style sheet and scripts: a fixed list of files, so that no path of a request reaches the file system."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in KINDS}


@cache
def version() -> str:
    """Changes with every change of a file, so that a browser keeps no old one."""
    return hashlib.sha256(b"".join(files().values())).hexdigest()[:12]


def static_routes() -> list[Route]:
    return [Route(f"/static/{name}", _server_of(name), methods=["GET"]) for name in files()]


def _server_of(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        kind = KINDS[Path(name).suffix]
        return Response(files()[name], media_type=kind, headers={"cache-control": "public, max-age=3600"})

    return answer
