"""`python -m rtflow`: the command line, where the script `rtflow` is not on the path."""

from rtflow.cli import main

if __name__ == "__main__":
    main()
