"""How often something may happen: token buckets, alone or one for each key.

A bucket is one number, the time at which it is full again: taking is a comparison and an addition,
without a timer. Time is handed in, in seconds of a clock that never goes back.

Two things that a plain bucket has not. Once it refuses, it refuses for `PAUSE`: of requests that
follow each other closely none slips through behind one that was refused, and overtakes it. And it
says to each whom it refuses when to come back, to each a later time, so that they do not come
together.

Not here: what is counted (gateway/pace.py, gateway/admission.py), the figures (settings.py).
Invariant: in any `t` seconds at most `burst + t * per_second` are let through.
"""

from typing import Final

from msgspec import Struct

__all__ = ["Bucket", "Buckets", "Rate"]

PAUSE: Final = 0.1  # seconds
LONGEST: Final = 60.0  # seconds that somebody is sent away for
EXACT: Final = 1e-9  # seconds; sums of floats are not
MOST_KEYS: Final = 65_536
FEW: Final = 1_024  # keys that are not worth a look


class Rate(Struct, frozen=True):
    """How often: in the long run so often per second, after a rest `burst` times at once."""

    per_second: float
    burst: float


class Bucket:
    """One of a rate, full at the beginning."""

    __slots__ = ("_cost", "_depth", "_full_at", "_promised", "_resumes_at")

    def __init__(self, rate: Rate) -> None:
        self._cost = 1 / rate.per_second
        self._depth = max(1.0, rate.burst) / rate.per_second + EXACT
        self._full_at = self._resumes_at = self._promised = 0.0

    def take(self, now: float) -> float:
        """Take one. Returns 0 when there was one, else in how many seconds to come again."""
        if now >= self._resumes_at:
            full_at = (self._full_at if self._full_at > now else now) + self._cost
            if full_at - now <= self._depth:
                self._full_at = full_at
                return 0.0
            self._resumes_at = now + PAUSE
        return self._put_off(now)

    def is_full(self, now: float) -> bool:
        """Whether it is as good as new."""
        return max(self._full_at, self._resumes_at, self._promised) <= now

    def _put_off(self, now: float) -> float:
        earliest = max(self._resumes_at, self._full_at + self._cost - self._depth)
        self._promised = max(self._promised + self._cost, earliest)
        if self._promised - now > LONGEST:
            self._promised = earliest
        return self._promised - now


class Buckets:
    """One for each key, as long as it is not full. Without a rate everything is let through.

    With very many keys the oldest are forgotten, and begin anew.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._by_key: dict[str, Bucket] = {}
        self._enough = FEW

    def take(self, key: str, now: float) -> float:
        """Take one for this key; see `Bucket.take`."""
        bucket = self._by_key.get(key)
        if bucket is None:
            if self._rate is None:
                return 0.0
            if len(self._by_key) >= self._enough:
                self._sweep(now)
            bucket = self._by_key[key] = Bucket(self._rate)
        return bucket.take(now)

    def __len__(self) -> int:
        return len(self._by_key)

    def _sweep(self, now: float) -> None:
        """Forget whoever need not be remembered; twice as many must come before the next time."""
        kept = [(key, it) for key, it in self._by_key.items() if not it.is_full(now)]
        self._by_key = dict(kept[-MOST_KEYS // 2 :])
        self._enough = max(FEW, 2 * len(self._by_key))
