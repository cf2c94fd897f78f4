"""The protocol without I/O: messages to frames and back, for both sides (protocol.md)."""
