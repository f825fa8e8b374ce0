"""`python -m tests.odd_answers COUNT SEED`: so many odd answers in a process of its own. Prints one line of JSON.

Exits with 1 where an error is outside our tree, a call was too long, or memory went beyond MOST_MIB. `peak_mib` is the
most memory that the process held at once, with Python and all of its libraries in it.
"""

import json
import sys
import time
from pathlib import Path

from tests.odd_answers.calls import python_s_own_limit, send_through_every_client

MOST_MIB = 200


def peak_kib() -> int:
    """Of this program. `ru_maxrss` would be that of the process which started it, where that one is larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    began = time.perf_counter()
    with python_s_own_limit():
        tally = send_through_every_client(count, seed)
    peak_mib = peak_kib() / 1024
    document = {
        "answers": tally.answers,
        "outcomes": dict(tally.outcomes),
        "outside_our_tree": tally.outside_our_tree[:20],
        "too_long": tally.too_long[:20],
        "peak_mib": round(peak_mib, 1),
        "seconds": round(time.perf_counter() - began, 1),
    }
    sys.stdout.write(json.dumps(document) + "\n")
    sys.exit(bool(tally.outside_our_tree or tally.too_long or peak_mib >= MOST_MIB))
