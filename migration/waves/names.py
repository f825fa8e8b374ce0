"""What a wave may be called. A name is typed, printed on one line, and written into the file that Prefect reads."""

import re

MAX_LENGTH = 100  # length of the column in the database


def wave_name_problem(name: str) -> str | None:
    """What is wrong with a name from the command line or from an inventory, or None."""
    if not name.strip() or name != name.strip():
        return "give it a name with no space around it"
    if len(name) > MAX_LENGTH:
        return f"give it a name of at most {MAX_LENGTH} characters"
    if re.fullmatch(r"N-\d+|\+?\d+", name.upper()):
        return "give it a name that is no number's"  # otherwise `cutover hold N-0001` would hold a wave
    if not name.isprintable():
        return "give it a name of one line"
    if name.startswith("-") or "{{" in name:
        return "give it a name without - at its start and without {{"  # an option; a template variable of Prefect
    return None
