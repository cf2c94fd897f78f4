"""The bounds that the HTTP half keeps for each user, and for all together.

Not here: where the figures come from (rtflow.server.settings).
"""

from msgspec import Struct

__all__ = ["HttpLimits"]


class HttpLimits(Struct, frozen=True, kw_only=True):
    """Bounds of HTTP requests."""

    searches_per_user: int = 10
    """Searches that one user may have under way; one more is refused with 429."""

    searches: int = 500
    """Searches under way in all; one more is refused with 503."""
