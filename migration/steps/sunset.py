"""The day on which On-Premises ended for everybody."""

from datetime import UTC, datetime

# The last On-Premises client version expired on this day; nothing is delivered to or from such numbers since.
# https://docs.360dialog.com/docs/waba-basics/waba-integration/onprem-to-cloudapi-migration
SUNSET = datetime(2025, 10, 23, tzinfo=UTC)
