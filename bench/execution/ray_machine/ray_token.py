"""The token that a local Ray demands of whoever connects to it: its own, in a file that this user alone can read.

Ray's ports listen on every interface of the machine, and whoever reaches them runs code as this user. Ray by itself
takes the token of the home folder, which every Ray of the user shares, and writes one there if there is none.
"""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from ray._raylet import AuthenticationTokenLoader, Config, GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError

from bench.trial.result import SweepError

MODE = "RAY_AUTH_MODE"
VARIABLES = (MODE, "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
CONNECT_SECONDS = 5.0


class Token:
    """What the environment says about Ray's tokens while a local Ray has one of its own."""

    def __init__(self, folder: Path) -> None:
        """Make the token and have Ray demand it, unless the user has set RAY_AUTH_MODE.

        Raises: OSError if the folder cannot be written.
        """
        self._before = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        if MODE not in self._before:
            file = os.open(path := folder / "token", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(file, "w") as opened:
                opened.write(secrets.token_hex(32))
            _say({MODE: "token", "RAY_AUTH_TOKEN_PATH": str(path)})

    def forget(self) -> None:
        """Have the environment say what it said before, so that a Ray of the user's own finds its own token."""
        _say(self._before)


def _say(variables: dict[str, str]) -> None:
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(variables)
    Config.initialize("")  # Ray has read the variables when it was imported
    AuthenticationTokenLoader.instance().reset_cache()


def check_token(address: str) -> None:
    """Ask the cluster at HOST:PORT whether it takes this user's token; Ray itself would ask for 20 s, and not say it.

    Raises: SweepError if it refuses. Whether it answers at all is seen when it is joined.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError):
        return
    try:
        GcsClient(address=address)
    except AuthenticationError as error:
        raise SweepError(
            f"Ray at {address} refuses this user: {_have()}; it must be the cluster's "
            "(RAY_AUTH_MODE=token with RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token)"
        ) from error


def _have() -> str:
    if os.environ.get(MODE) != "token":
        return f"it demands a token, and {MODE} is {os.environ.get(MODE) or 'not set'}"
    source = next((name for name in VARIABLES[1:] if os.environ.get(name)), "~/.ray/auth_token")
    return f"the token of {source} is not its own"
