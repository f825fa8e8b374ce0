"""What is said of a number for which nobody has stated that Meta's Terms are accepted.

A module of its own, because what only reads says it too and must not load the clients.
"""

# With it begins the reason of a number that waits for that statement.
TERMS_UNKNOWN = "nobody has stated that its customer's business has accepted Meta's Terms"


def terms_command(ref: str) -> str:
    """What a person types who knows it of the number's business."""
    return f'cutover resolve {ref} --terms-accepted --because "NAME has looked"'
