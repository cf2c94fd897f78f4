"""Health: a write that changes nothing, to see whether anything could be written."""

from rtflow.server.store.interface import Outcome, Steps, run

__all__ = ["write_in_vain"]


def write_in_vain() -> Steps[Outcome[None]]:
    """Write a row that nobody has, and take it back. (One that stays the same is not written.)"""
    yield from run(
        "INSERT INTO sent_keys (conversation_id, user_id, key, message_id, at)"
        " VALUES ('', '', '', '', 0)"
    )
    yield from run("DELETE FROM sent_keys WHERE conversation_id = ''")
    return Outcome(None)
