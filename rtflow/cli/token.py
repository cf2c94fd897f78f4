"""`rtflow token`: a token for one user, signed with the server's secret.

Not here: what a server accepts (rtflow.server.auth).
"""

from typing import Annotated

from cyclopts import Parameter

from rtflow.cli.failure import Misuse

__all__ = ["token"]


def token(
    *,
    user: Annotated[str, Parameter(env_var="RTFLOW_USER")],
    secret: Annotated[str, Parameter(env_var="RTFLOW_SECRET")],
    app: Annotated[str, Parameter(env_var="RTFLOW_APP")] = "demo",
    expires: Annotated[int, Parameter(env_var="RTFLOW_EXPIRES")] = 3600,
) -> None:
    """Print a token with which a user may log in to a server that has a secret.

    Parameters
    ----------
    user
        The id of the user.
    secret
        The secret of the server.
    app
        The id of the app.
    expires
        In how many seconds the token ends to be valid.
    """
    from rtflow.server.auth import mint_token  # of the extra "server"

    if not user or not secret or not app:
        raise Misuse("--user, --secret and --app must not be empty")
    if expires <= 0:
        raise Misuse(f"--expires is {expires}: a token is valid for at least one second")
    print(mint_token(app, user, secret, expires=expires), flush=True)
