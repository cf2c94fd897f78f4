"""The client: a session, the refs it hands out, and the one connection beneath them."""
