"""`python -m sandbox.control.client_commands --url URL stop|start INSTANCE`: for named commands.

Exit codes: 0 done, 1 the command failed or the sandbox does not answer, 2 wrong arguments.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from sandbox.onprem.operator_actions import ACTIONS

# The sandbox answers a command at once.
TIMEOUT_S = 10


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.control.client_commands", description=__doc__)
    parser.add_argument("--url", required=True, help="sandbox_url of the manifest")
    parser.add_argument("what", choices=ACTIONS)
    parser.add_argument("instance")
    options = parser.parse_args(arguments)
    if not options.url.startswith(("http://", "https://")):
        parser.error("--url begins with http:// or https://")
    url = f"{options.url.rstrip('/')}/_sandbox/instances/{quote(options.instance, safe='')}"
    request = Request(url, json.dumps({"do": options.what}).encode(), method="POST")  # noqa: S310  checked above
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            sys.stdout.write(response.read().decode() + "\n")
            return 0
    except HTTPError as refused:
        with refused:
            sys.stderr.write(refused.read().decode() + "\n")
    except (URLError, OSError) as bad:
        sys.stderr.write(f"{bad}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
