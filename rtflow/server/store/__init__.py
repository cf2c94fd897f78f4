"""Where state lives: one interface, one domain, any number of databases."""
