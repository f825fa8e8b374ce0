"""`python -m sandbox.documentation [FOLDER]`: renews the generated files of a checkout, by default this one."""

import sys
from pathlib import Path

from sandbox.documentation.generated import FILES


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 done, 2 usage."""
    if len(arguments) > 1:
        sys.stderr.write("python -m sandbox.documentation [FOLDER]\n")
        return 2
    top = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    for name, renew in FILES.items():
        path = top / name
        path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
