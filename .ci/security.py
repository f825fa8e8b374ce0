"""Run the tests of what docs/security.md says, and write their figures into that page.

.venv/bin/python .ci/security.py           all of them
.venv/bin/python .ci/security.py --quick   without slow tests and PostgreSQL; the page stays as it is
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

TOP = Path(__file__).resolve().parents[1]
PAGE = TOP / "docs/security.md"
BEGIN, END = "<!-- figures: make security -->", "<!-- end of figures -->"
# What is shown, and the tests that show it.
GROUPS = {
    "a far side that echoes each secret in each spelling: none is stored, logged or printed": (
        "tests/cli/test_planted_secrets.py",
        "tests/unit/clients/test_scrubbed_answers.py",
        "tests/unit/scrubbing",
    ),
    "a whole move, and Prefect's own database: no secret in a file, a row, a log or an artifact": (
        "tests/journeys/test_no_secret_leaks.py",
        "tests/flows/test_prefect_on_postgres.py",
    ),
    "no secret among the arguments or variables of a worker, a flow, the pages, their child or a command": (
        "tests/flows/test_no_secret_in_processes.py",
    ),
    "each way of cutting or changing the record is found, on both databases": (
        "tests/unit/state/test_record_check.py",
        "tests/schema/test_taken_over_record.py",
        "tests/schema/test_append_only.py",
        "tests/unit/test_anchor_writer.py",
        "tests/cli/test_audit.py",
    ),
    "rotations of the master key: one at a time, and a kill loses no key": (
        "tests/cli/test_rotations_at_once.py",
        "tests/unit/state/test_database_lock.py",
    ),
    "what can be opened is what docs/security.md says": ("tests/journeys/test_shredding.py",),
    "a forgotten customer stands in no table, log or outbox of ours": ("tests/cli/test_forget.py",),
    "codes typed into Prefect's form do not stay there": ("tests/flows/test_typed_codes.py",),
    "errors of an import quote no cell": ("tests/unit/fleet/test_shifted_files.py",),
    "hostile text makes no line, link or formula": (
        "tests/unit/scrubbing/test_rendering.py",
        "tests/cli/test_hostile_text.py",
    ),
    "passwords go where they were given for, or nowhere": (
        "tests/unit/clients/test_addresses.py",
        "tests/unit/clients/test_tls.py",
        "tests/cli/test_addresses.py",
        "tests/unit/test_app.py",
    ),
    "hooks: only done is done, and no message can be sent again": (
        "tests/unit/clients/test_traffic_hooks.py",
        "tests/unit/clients/test_receiver_of_hooks_page.py",
    ),
    "files are their owner's, under any umask": (
        "tests/unit/runtime/test_file_access.py",
        "tests/cli/test_private_files.py",
    ),
    "commands get no secret of ours, and end with their whole tree": (
        "tests/unit/clients/test_commands.py",
        "tests/unit/clients/test_command_hooks.py",
    ),
    "errors of PostgreSQL hold no value of a row": ("tests/unit/state/test_errors_without_values.py",),
    "every file is locked by its hash": ("tests/house/test_dependencies.py", "tests/house/test_supply_chain.py"),
}


def run(tests: tuple[str, ...], *, quick: bool) -> tuple[int, int]:
    """How many passed, and how many did not."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junit-xml={report}", *tests]
        command += ["-m", "not slow and not postgres"] if quick else []
        subprocess.run(command, cwd=TOP, check=False, stdout=subprocess.DEVNULL)
        suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    wrong = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return int(suite.get("tests", 0)) - wrong - int(suite.get("skipped", 0)), wrong


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    rows, failed = [], 0
    for what, tests in GROUPS.items():
        passed, wrong = run(tests, quick=quick)
        failed += wrong or passed == 0  # a group of which nothing ran, as of a file that was renamed, shows nothing
        rows.append(f"| {what} | {passed} | {wrong} |")
        print(rows[-1], flush=True)
    table = "\n".join(["| what is shown | cases that hold | cases that do not |", "|---|---|---|", *rows])
    if not quick:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
