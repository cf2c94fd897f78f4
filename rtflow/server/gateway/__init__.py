"""From a socket to the domain and back: connections, routing, fan-out."""
