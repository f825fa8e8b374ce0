"""The stop command of the benchmarks: as cheap as a partner's own, where the sandbox's starts a Python of its own."""

import json
from pathlib import Path
from urllib.parse import urlsplit

# bash speaks to the sandbox itself: https://www.gnu.org/software/bash/manual/html_node/Redirections.html
_SPEAK = r"""
exec 3<>"/dev/tcp/$1/$2" || exit 1
printf 'POST /_sandbox/instances/%s HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\n' "$3" >&3
printf 'Content-Length: 13\r\nConnection: close\r\n\r\n{"do":"stop"}' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
"""


def stop_argv(sandbox_url: str, instance: str) -> list[str]:
    """What stops a client of the sandbox; `instance` may be a placeholder of the admin file."""
    address = urlsplit(sandbox_url)
    return ["bash", "-c", _SPEAK.strip(), "stop", str(address.hostname), str(address.port), instance]


def use_in(admin_file: Path, sandbox_url: str) -> None:
    """In place of the command that the demo writes."""
    lines = admin_file.read_text().splitlines(keepends=True)
    (at,) = [place for place, line in enumerate(lines) if line.startswith("argv = ") and "client_commands" in line]
    lines[at] = f"argv = {json.dumps(stop_argv(sandbox_url, '{instance}'))}\n"
    admin_file.write_text("".join(lines))
