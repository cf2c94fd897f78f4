"""The bounds that the HTTP half keeps for each user, and for all together.

Not here: where the figures come from (rtflow.server.settings).
"""

from msgspec import Struct

__all__ = ["HttpLimits"]


class HttpLimits(Struct, frozen=True, kw_only=True):
    """Bounds of HTTP requests. Durations are seconds."""

    searches_per_user: int = 10
    """Searches that one user may have under way; one more is refused with 429."""

    searches: int = 500
    """Searches under way in all; one more is refused with 503."""

    uploads_per_user: int = 5
    """Uploads that one user may have under way; one more is refused with 429."""

    uploads: int = 200
    """Uploads under way in all; one more is refused with 503."""

    upload_seconds: float = 600
    """How long an upload may take; one that takes longer is refused with 408."""
