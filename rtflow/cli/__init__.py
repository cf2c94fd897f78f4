"""The command line: `rtflow serve`, `demo`, `token`, `get`, `observe`, `send`, `doctor`, `backup`.

A command parses its arguments, calls a door of the library and prints. What a program reads goes to
standard output, what people read to standard error. The exit status is 0, 1 after a failure (one
line says which), 2 for wrong usage, and Ctrl-C is never a traceback.

Not here: anything that a program could not do with `import rtflow` and `import rtflow.server`.
Invariant: this file imports nothing of an extra, so that it can say which one is missing.
"""

import sys

__all__ = ["main"]

INTERRUPTED = 130  # as shells count: 128 + SIGINT
OF_EXTRAS = {
    "cyclopts",
    "httptools",
    "jwt",
    "pydantic",
    "pydantic_settings",
    "rich",
    "starlette",
    "uvicorn",
}


def main() -> None:
    """Run the command that the arguments of this process ask for, and exit."""
    try:
        from rtflow.cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in OF_EXTRAS:
            raise
        print(
            f'rtflow: {package} is not installed: pip install "rtflow[server,cli]"',
            file=sys.stderr,
        )
        status = 1
    sys.exit(status)
