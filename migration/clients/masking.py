"""Phone numbers as they may be shown: enough to recognise, not enough to dial."""

import re

_NUMBER = re.compile(r"(?<![\d/-])\+?\d{8,15}(?![\d-])")


def masked(e164: str) -> str:
    """`+15550104321` becomes `+155•••4321`."""
    return f"{e164[:4]}•••{e164[-4:]}" if len(e164) > 8 else "•••"


def without_numbers(text: str) -> str:
    """Any free text of the far side with everything that could be a phone number masked."""
    return _NUMBER.sub(lambda found: masked(found.group()), text)
