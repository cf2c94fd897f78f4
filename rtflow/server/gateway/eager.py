"""Coroutines that begin at once.

An embedded database answers without waiting, one behind a network does not. Code that reads is
written once, as a coroutine: here it runs in the caller's turn as far as it can without waiting,
which for the embedded one is to its end (a task would cost a turn of the loop and several
microseconds); what then has to wait goes on as a task.

Not here: what the coroutines do. Invariant: each coroutine runs to its end, or until the group is
cancelled.

What runs before the first wait belongs to the caller's task: `asyncio.timeout` there would watch
the wrong one.
"""

import logging
from asyncio import TaskGroup
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

__all__ = ["Eager"]

logger = logging.getLogger(__name__)


class Eager:
    """Starts coroutines; those that have to wait live in `tasks`."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks

    def start(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what it waits for is asyncio's
        """Run `work` until it ends or waits. Never raises: a failure is logged."""
        try:
            awaited = work.send(None)
        except StopIteration:
            pass
        except Exception:
            logger.exception("%r failed", work)
        else:
            self._tasks.create_task(_finished(work, awaited))


async def _finished(work: Coroutine[Any, Any, None], awaited: object) -> None:
    try:
        await _rest(work, awaited)
    except Exception:
        logger.exception("%r failed", work)


@coroutine
def _rest(work: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Go on with a coroutine that waits for `awaited`, as `await` would have from the start."""
    try:
        while True:
            try:
                answer = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as exc:
                awaited = work.throw(exc)
            else:
                awaited = work.send(answer)
    except StopIteration:
        pass
