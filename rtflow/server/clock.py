"""The clock of the server: what it calls now."""

import time

__all__ = ["unix_ms"]


def unix_ms() -> int:
    """Return the time in unix milliseconds."""
    return time.time_ns() // 1_000_000
