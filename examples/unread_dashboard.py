"""A live dashboard: what is unread, who wrote last, and when.

    rtflow serve                                        # in another terminal
    python examples/unread_dashboard.py --user alice    # --help tells the rest

In a terminal it is a table that redraws itself, elsewhere (a pipe, a log file) a line per change.
It may start before its server and outlives its restarts; Ctrl-C ends it. All that it shows comes
out of one pipeline of Rx operators, which begins at `session.conversations.observe()`.

`rtflow demo` runs this very file, against people who talk.
"""

import argparse
import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass

import reactivex
from reactivex import Observable
from reactivex import operators as ops
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

import rtflow

FRAME = 6  # lines of the screen that are not rows
DOTS = 8  # as many unread messages are drawn one by one


@dataclass(frozen=True)
class Row:
    """A conversation, as the dashboard shows it. `before` is the unread count before this one."""

    id: str
    subject: str
    unread: int
    before: int
    last: str
    at: int  # unix milliseconds


@dataclass(frozen=True)
class Board:
    """All there is to show: the rows, those whose count has just changed, and the story so far."""

    rows: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    changes: int = 0
    lowest: int = 0
    highest: int = 0

    def __str__(self) -> str:
        """The story in one line."""
        return f"{self.changes} changes, unread between {self.lowest} and {self.highest}"


def next_board(board: Board, window: rtflow.Window[rtflow.ConversationSnapshot]) -> Board:
    """Return the board that follows when the conversations look like this."""
    old = {row.id: row for row in board.rows}
    rows = tuple(next_row(old.get(item.id), item) for item in window.items)
    changed = tuple(row for row in rows if row.unread != count(old.get(row.id)))
    return Board(
        rows,
        changed,
        changes=board.changes + len(changed),
        lowest=min([board.lowest, *map(count, rows)]),
        highest=max([board.highest, *map(count, rows)]),
    )


def next_row(old: Row | None, conversation: rtflow.ConversationSnapshot) -> Row:
    """Pick what is worth a line."""
    unread, message = conversation.unread_message_count, conversation.last_message
    sender = f"{message.sender.name}: " if message and message.sender else ""
    return Row(
        id=conversation.id,
        subject=conversation.subject or conversation.id,
        unread=unread,
        before=old.before if old and unread == old.unread else count(old),
        last=sender + " ".join(message.plaintext.split()) if message else "",
        at=conversation.last_message_at,
    )


def count(row: Row | None) -> int:
    """Nothing is unread in what has not been seen."""
    return row.unread if row else 0


class Dashboard:
    """Shows the conversations of a session. `board` is what it shows."""

    def __init__(self, session: rtflow.Session, console: Console, title: str) -> None:
        self.board = Board()
        self._session, self._console, self._title = session, console, title

    async def run(self, seconds: float | None = None) -> None:
        """Show them for so long, or until cancelled."""
        scheduler, link = self._session.scheduler, self._session.connection.observe()
        end = reactivex.timer(seconds, scheduler=scheduler) if seconds else reactivex.never()
        boards = self._session.conversations.observe().pipe(
            ops.scan(next_board, self.board),
            ops.start_with(self.board),  # there is something to see before there is a server
            ops.do_action(self._keep),
        )
        if self._console.is_terminal:
            clock = reactivex.timer(0.0, 1.0, scheduler=scheduler)  # "Since" goes on without news
            with Live(console=self._console, auto_refresh=False) as screen:

                def redraw(drawing: RenderableType) -> None:
                    screen.update(drawing, refresh=True)

                await boards.pipe(
                    ops.combine_latest(link, clock),
                    ops.starmap(self._draw),
                    ops.do_action(redraw),
                    ops.take_until(end),
                )
        else:
            link_news = link.filter(is_news).map(in_words).distinct_until_changed()
            lines = boards.flat_map(changes_in_words).merge(link_news)
            await lines.pipe(
                ops.do_action(print_line), ops.take_until(end), ops.default_if_empty("no news")
            )

    def _keep(self, board: Board) -> None:
        self.board = board

    def _draw(self, board: Board, link: rtflow.ConnectionState, _second: int) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("Conversation", max_width=20, no_wrap=True)
        table.add_column("Unread", min_width=DOTS + 6, no_wrap=True)
        table.add_column("Last message", ratio=1, no_wrap=True)
        table.add_column("Since", justify="right", min_width=6, no_wrap=True)
        for row in board.rows[: max(1, self._console.height - FRAME)]:
            style = "bold" if row.unread else "dim"
            cells = (row.subject, gauge(row), row.last, age(row.at))
            table.add_row(*(Text.assemble(cell, style=style) for cell in cells))
        total = f"{sum(map(count, board.rows))} unread"
        return Group(
            Text.assemble((total, "bold cyan"), f"   {self._title}   ", link_in_colour(link)),
            table,
            Text(f"{board}   (Ctrl-C ends)", "dim"),
        )


def gauge(row: Row) -> Text:
    """Draw an unread count: where it went last, the number, and a dot for each message."""
    went, colour = ("▲", "yellow") if row.unread > row.before else ("▼", "green")
    dots = "●" * min(row.unread, DOTS) + ("+" if row.unread > DOTS else "")
    return Text.assemble(
        (went if row.unread != row.before else " ", colour), f"{row.unread:>3} ", (dots, "yellow")
    )


def age(at: int) -> str:
    """Say how long ago that was."""
    seconds = max(0, int(time.time() - at / 1000))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def is_news(link: rtflow.ConnectionState) -> bool:
    """Say whether the link has come to something: attempts in between are of no interest."""
    return link.status in ("live", "waiting")


def in_words(link: rtflow.ConnectionState) -> str:
    """Name the state of the link."""
    return f"{link.status} ({link.reason})" if link.reason else link.status


def link_in_colour(link: rtflow.ConnectionState) -> Text:
    """Name the state of the link so that link_news is seen."""
    return Text(in_words(link), "green" if link.status == "live" else "red")


def changes_in_words(board: Board) -> Observable[str]:
    """Write a line for each count that has just changed."""
    return reactivex.from_iterable(
        f"{row.subject:<16}  unread {row.before} -> {row.unread}  {row.last}"
        for row in board.changed
    )


def print_line(text: str) -> None:
    """Print a line with the time, now and not when a buffer is full."""
    print(time.strftime("%H:%M:%S "), text, flush=True)


async def main() -> None:
    """Watch the conversations of the user whom the arguments, or the environment, name."""
    env = os.environ.get
    options = argparse.ArgumentParser(description="A live dashboard of unread messages.")
    options.add_argument("--server", default=env("RTFLOW_SERVER", "http://localhost:8080"))
    options.add_argument("--app", default=env("RTFLOW_APP", "demo"))
    options.add_argument("--user", default=env("RTFLOW_USER", "alice"))
    options.add_argument("--token", default=env("RTFLOW_TOKEN"))
    options.add_argument("--seconds", type=float, help="end after that long")
    args = options.parse_args()
    async with rtflow.Session(
        args.server, app_id=args.app, user_id=args.user, token=args.token
    ) as session:
        dashboard = Dashboard(session, Console(), f"{args.user} at {args.server}")
        try:
            await dashboard.run(args.seconds)
        finally:
            print(dashboard.board)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
