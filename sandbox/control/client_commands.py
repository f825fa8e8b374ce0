"""`python -m sandbox.control.client_commands --url URL stop|start INSTANCE`: what a named command runs.

Exit codes: 0 done, 1 the command failed or nobody answers, 2 wrong arguments.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from sandbox.onprem.operator_actions import ACTIONS

# Seconds; a command answers at once or is not there.
PATIENCE = 10


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.control.client_commands", description=__doc__)
    parser.add_argument("--url", required=True, help="sandbox_url of the manifest")
    parser.add_argument("what", choices=ACTIONS)
    parser.add_argument("instance")
    told = parser.parse_args(arguments)
    if not told.url.startswith(("http://", "https://")):
        parser.error("--url begins with http:// or https://")
    where = f"{told.url.rstrip('/')}/_sandbox/instances/{quote(told.instance, safe='')}"
    request = Request(where, json.dumps({"do": told.what}).encode(), method="POST")  # noqa: S310  checked above
    try:
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            sys.stdout.write(answer.read().decode() + "\n")
            return 0
    except HTTPError as refused:
        with refused:
            sys.stderr.write(refused.read().decode() + "\n")
    except (URLError, OSError) as bad:
        sys.stderr.write(f"{bad}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
