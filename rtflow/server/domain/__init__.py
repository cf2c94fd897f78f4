"""What the server does: a command, its permission, its writes, its events. No I/O."""
