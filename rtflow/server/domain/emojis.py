"""What somebody may react with: an emoji of Unicode, or one of the application by its name.

An emoji is what it was sent as: with and without its variation selector it is two. The package
below knows those of the Unicode version that it was made for; newer ones come with newer versions
of it. It loads its table when it is imported, so that the first reaction does not wait for it.
"""

import re
from typing import Final

from emoji import is_emoji

from rtflow.errors import BadRequest

__all__ = ["check_emoji"]

CUSTOM: Final = re.compile(r":[A-Za-z0-9_+-]{1,50}:")


def check_emoji(text: str) -> None:
    """Raise `BadRequest` for what is not one emoji: 👍, 👍🏽, 🇳🇱, 1️⃣, or `:name:`."""
    if not is_emoji(text) and CUSTOM.fullmatch(text) is None:
        raise BadRequest(
            "INVALID_EMOJI",
            "use one emoji, or the name of a custom one between colons, such as :cat:"
            " (letters, digits, '_', '+' and '-', 50 at most)",
        )
