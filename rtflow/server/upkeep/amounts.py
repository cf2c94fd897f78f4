"""Amounts: so many of something, in words."""

__all__ = ["amount"]


def amount(number: int, thing: str) -> str:
    """Say how many: `amount(1, "file")` is "1 file", `amount(2000, "file")` is "2,000 files"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
