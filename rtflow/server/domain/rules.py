"""Rules: what an operator switches on and off, and the limits. Handed in with every command."""

from msgspec import Struct

__all__ = ["Rules"]


class Rules(Struct, frozen=True, kw_only=True):
    """Toggles and limits of one app.

    With `client_side_user_syncing` off nobody creates or edits users over the realtime API; with
    `client_side_conversation_syncing` off, neither conversations nor their participants.
    `max_custom_bytes` is the size of a whole `custom` map as JSON; `max_message_length` counts
    characters. `file_types` are the endings that names of files may have ("png"); None: any.
    """

    client_side_user_syncing: bool = True
    client_side_conversation_syncing: bool = True
    max_custom_bytes: int = 65_536
    max_message_length: int = 10_000
    max_file_bytes: int = 50 * 1024 * 1024
    file_types: frozenset[str] | None = None
