"""Upkeep: what the keeper of a server does beside it: examine what it has stored, and back it up.

Both only read, and may be done while the server runs. They take the disk's time and block: in a
program with a loop call them in a thread.
"""

from rtflow.server.upkeep.backup import Backup, CannotBackUp, back_up
from rtflow.server.upkeep.doctor import Check, examine

__all__ = ["Backup", "CannotBackUp", "Check", "back_up", "examine"]
