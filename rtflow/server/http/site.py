"""What all handlers of HTTP requests work with.

Not here: what websockets share (gateway/node.py). Invariant: store and vault are there from `open`
to `close`; before and after, what needs them is refused.
"""

from collections.abc import Callable
from time import monotonic

from starlette.requests import Request

from rtflow.errors import ServerFailed, TooManyRequests
from rtflow.server.auth import Authenticator
from rtflow.server.clock import unix_ms
from rtflow.server.domain.rules import Rules
from rtflow.server.figures import Figures
from rtflow.server.files import Vault
from rtflow.server.http.limits import HttpLimits
from rtflow.server.http.requests import caller
from rtflow.server.http.turns import Turns
from rtflow.server.rates import Buckets
from rtflow.server.store.interface import Store

__all__ = ["Site"]


class Site:
    """The parts. `public_url` is where clients reach the app; None: where each request went.

    `requests` says how often each user may ask, websockets included. `scrape` writes the metrics in
    a form that an `Accept` header takes, and says in which.
    """

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        limits: HttpLimits,
        rules: Rules,
        requests: Buckets,
        figures: Figures,
        scrape: Callable[[str], tuple[bytes, str]],
        public_url: str | None = None,
        clock: Callable[[], int] = unix_ms,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self.authenticator, self.limits, self.rules = authenticator, limits, rules
        self.public_url, self.clock = public_url, clock
        self._requests, self._ticks = requests, ticks
        self.figures, self.scrape = figures, scrape
        self.searches = Turns("searches", per_user=limits.searches_per_user, in_all=limits.searches)
        self.uploads = Turns("uploads", per_user=limits.uploads_per_user, in_all=limits.uploads)
        self._parts: tuple[Store, Vault] | None = None

    def caller(self, request: Request) -> str:
        """Return who asks. Raises for other apps, for no token, and for who asks too often."""
        user_id = caller(request, self.authenticator)
        if self._requests.take(user_id, self._ticks()):
            raise TooManyRequests(
                "TOO_MANY_REQUESTS", "you ask more often than you may; ask again in a moment"
            )
        return user_id

    def open(self, store: Store, vault: Vault) -> None:
        """The app runs."""
        self._parts = store, vault

    def close(self) -> None:
        """The app runs no more."""
        self._parts = None

    @property
    def store(self) -> Store:
        """The database."""
        return self._open()[0]

    @property
    def vault(self) -> Vault:
        """The files."""
        return self._open()[1]

    def _open(self) -> tuple[Store, Vault]:
        if self._parts is None:
            raise ServerFailed("NOT_RUNNING", "the app has not been started", status=503)
        return self._parts
