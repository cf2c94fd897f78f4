"""How committed changes reach every node."""
