"""The vocabulary: frozen values that wire, server and client all speak. No I/O, no clock."""
