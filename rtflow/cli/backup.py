"""`rtflow backup`: what a server has stored, in a file of its own, while the server runs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rtflow.cli.failure import Failure
from rtflow.cli.serve import chosen, settings_with

__all__ = ["backup"]


def backup(
    file: Path,
    /,
    *,
    database: Annotated[str | None, Parameter(env_var="RTFLOW_DATABASE")] = None,
    files: Annotated[Path | None, Parameter(env_var="RTFLOW_FILES")] = None,
) -> None:
    """Back up a server's database and its uploaded files, also while the server runs.

    A backup is a database like any other: `rtflow doctor` checks it, `rtflow serve` serves it, and
    a backup of it to where a server looks restores it.

    Parameters
    ----------
    file
        The file to make; uploads go beside it, with -files behind its name. Neither may exist.
    database
        The file of the database [default: rtflow.db].
    files
        The folder of uploaded files [default: that of the database, with -files behind its name].
    """
    from rtflow.server import back_up  # of the extra "server"
    from rtflow.server.upkeep.amounts import amount

    made = back_up(file, settings_with(**chosen(database=database, files=files)))
    files_in_it = amount(made.contents, "uploaded file")
    print(f"{made.database}: up to change {made.changes}, {files_in_it}", flush=True)
    if made.missing:
        missing = amount(len(made.missing), "uploaded file")
        raise Failure(
            f"the backup is made, but without {missing}, missing here (rtflow doctor tells which)"
        )
