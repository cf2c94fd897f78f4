"""Slot: one request, who waits for it, and whether it may be sent twice.

Not here: when it is sent and what its answer does to it (requests.py).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from rtflow.model.params import MarkParams, SendMessage
from rtflow.wire import codec
from rtflow.wire.endpoints import AnyEndpoint, Repeat

__all__ = ["Slot"]

logger = logging.getLogger(__name__)


class Slot:
    """One request and who waits for it: a future, or `settle`."""

    __slots__ = (
        "endpoint",
        "failures",
        "future",
        "ids",
        "logins",
        "number",
        "params",
        "rest",
        "sent_at",
        "seq",
        "settle",
        "was_lost",
        "was_sent",
    )

    def __init__(
        self,
        number: int,
        endpoint: AnyEndpoint,
        ids: tuple[str, ...],
        params: Any,  # Any: the endpoint's parameter Struct
        future: asyncio.Future[Any] | None,  # Any: the endpoint's result
        settle: Callable[[Any], None] | None = None,  # Any: the result, or an RtflowError
    ) -> None:
        self.number, self.endpoint, self.ids, self.params = number, endpoint, ids, params
        self.future, self.settle = future, settle
        self.seq: int | None = None  # on the present connection
        self.rest: asyncio.TimerHandle | None = None
        self.sent_at = 0.0  # by `perf_counter`, on the present connection
        self.was_sent = False  # on any connection
        self.was_lost = False  # sent before, on a connection that was lost
        self.failures = self.logins = 0

    @property
    def request(self) -> str:
        """What is asked, for people."""
        return f"{self.endpoint.method} {self.endpoint.path(*self.ids)}"

    @property
    def is_fleeting(self) -> bool:
        """Whether it means nothing later: rather given up in silence than sent late."""
        return self.endpoint.repeat is Repeat.DROPPED

    @property
    def may_repeat(self) -> bool:
        """Whether it is safe to send it twice."""
        params = self.params
        match self.endpoint.repeat:
            case Repeat.SAFE:
                return True
            case Repeat.WITH_KEY:
                return (
                    isinstance(params, SendMessage) and params.idempotency_key is not UNSET
                ) or (isinstance(params, MarkParams) and params.until is not UNSET)
            case Repeat.DROPPED | Repeat.NEVER:
                return False

    def give_up(self) -> None:
        """Tell the caller that it is done, though nothing was."""
        self.finish(self.endpoint.decode_result(codec.EMPTY))

    def finish(self, outcome: Any) -> None:  # Any: the result, or an exception
        """Tell the caller."""
        future = self.future
        if future is not None:
            if future.done():  # the caller has left
                return
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        elif self.settle is not None:
            try:
                self.settle(outcome)
            except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
                logger.exception("what was to be done with the answer to %s failed", self.request)

    def __repr__(self) -> str:
        return f"<Slot {self.number}: {self.request}>"
