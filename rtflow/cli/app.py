"""The commands, under one roof: parse, run, and turn what goes wrong into one line and a status.

Not here: what a command does (one module each).
Invariant: a mistake of the user, the server or the network never shows a traceback; one of ours
does.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

import rtflow
from rtflow.cli.backup import backup
from rtflow.cli.demo import demo
from rtflow.cli.doctor import doctor
from rtflow.cli.failure import Failure, say
from rtflow.cli.output import silence_stdout
from rtflow.cli.read import get, observe
from rtflow.cli.send import send
from rtflow.cli.serve import serve
from rtflow.cli.token import token

__all__ = ["run"]

app = App(
    name="rtflow",
    help="Chat state that stays fresh: a server, and eyes and hands for the command line.",
    version=lambda: f"rtflow {version('rtflow')}",
    help_format="plaintext",
)
COMMANDS: tuple[Callable[..., None], ...] = (
    serve,
    demo,
    token,
    get,
    observe,
    send,
    doctor,
    backup,
)
for number, command in enumerate(COMMANDS):
    app.command(command, sort_key=number)  # --help keeps the order


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say and return the exit status."""
    try:
        command, bound, _ = app.parse_args(arguments, print_error=False, exit_on_error=False)
        command(*bound.args, **bound.kwargs)
    except CycloptsError as exc:
        say(f"{exc} (see rtflow {' '.join([*(exc.command_chain or ()), '--help'])})")
        return 2
    except Failure as exc:
        say(str(exc))
        return exc.status
    except BrokenPipeError:  # nobody reads what it prints: nobody to tell, either
        silence_stdout()
    except (rtflow.RtflowError, OSError) as exc:
        silence_stdout()  # it may be full: then Python complains again when it exits
        say(str(exc) or repr(exc))
        return 1
    return 0
