"""What is asked by plain HTTP: is the app there, tokens, search, files, health."""
