"""Patterns: regular expressions that are compiled when they are first used.

Compiling all those of a module takes milliseconds of its import, and most programs need few.
Not here: what they find (markup.py, links.py).
"""

import re
from functools import partial
from typing import Any, cast

__all__ = ["pattern"]


class Pattern:
    """A `re.Pattern` that does not exist before somebody asks it for something."""

    def __init__(self, source: str, flags: int) -> None:
        self._compiled = partial(re.compile, source, flags)  # `re` remembers what it has compiled

    def __getattr__(self, name: str) -> Any:  # Any: whatever a pattern has there
        found = getattr(self._compiled(), name)
        setattr(self, name, found)  # from now on it is found without this
        return found


def pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Make a pattern. A source that is wrong is noticed at the first use."""
    return cast("re.Pattern[str]", Pattern(source, flags))  # its class can have no subclass
