"""Phone numbers as they may be shown: enough to recognise one, not enough to dial it."""

import re

# As dialled, or after a plus with the spaces, brackets and dashes that Graph's `display_phone_number` has.
_NUMBER = re.compile(r"(?<![\d/-])\+?\d{8,15}(?![\d-])|\+\d(?:[ ().-]{0,2}\d){6,14}(?!\d)")


def masked(e164: str) -> str:
    """`+15550104321` becomes `+155•••4321`."""
    return f"{e164[:4]}•••{e164[-4:]}" if len(e164) > 8 else "•••"


def mask_numbers(text: str) -> str:
    """Text from outside, with everything in it that could be a phone number masked."""
    return _NUMBER.sub(lambda match: masked(re.sub(r"[^+\d]", "", match.group())), text)
