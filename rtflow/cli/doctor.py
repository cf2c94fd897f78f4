"""`rtflow doctor`: is what a server has stored whole? One line for each thing that is looked at."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rtflow.cli.failure import Failure
from rtflow.cli.serve import chosen, settings_with

__all__ = ["doctor"]

WIDTH = 14  # of the names of checks


def doctor(
    *,
    database: Annotated[str | None, Parameter(env_var="RTFLOW_DATABASE")] = None,
    files: Annotated[Path | None, Parameter(env_var="RTFLOW_FILES")] = None,
) -> None:
    """Check a server's database and its uploaded files, and change nothing.

    The server may run meanwhile. The status is 0 when all is well, 1 when something is not.

    Parameters
    ----------
    database
        The file of the database [default: rtflow.db].
    files
        The folder of uploaded files [default: that of the database, with -files behind its name].
    """
    from rtflow.server import examine  # of the extra "server"

    faults = 0
    for check in examine(settings_with(**chosen(database=database, files=files))):
        verdict = "FAULT" if check.faults else "ok"
        line = f"{verdict:<6}{check.name:<{WIDTH}} {' '.join(check.told.split())}"
        print(line, flush=True)
        faults += check.faults
        if check.faults and check.name == "database":
            raise Failure("the database could not be looked at")
    if faults:
        many = "1 fault" if faults == 1 else f"{faults} faults"
        raise Failure(
            f"{many}: stop the server, keep a copy of its files as they are, then restore a backup"
        )
