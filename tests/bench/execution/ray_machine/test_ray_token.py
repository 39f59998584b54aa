"""A local Ray demands a token of its own; a cluster that refuses ours says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from command_line import environment

pytestmark = pytest.mark.slow  # starts Ray

OWN = """
import os, pathlib, stat, subprocess, sys, tempfile
from bench.execution.ray_machine import ray_process
from bench.execution.ray_machine.ray_token import VARIABLES

ray_process.wait(None)
import ray
folder = ray_process._Ray.current.folder
token = folder / "token"
print(oct(token.stat().st_mode), len(token.read_text()), os.environ["RAY_AUTH_TOKEN_PATH"] == str(token))
address = ray.get_runtime_context().gcs_address
for variables in ({}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}):
    print(subprocess.run([sys.executable, "-c", sys.argv[1], address], env=eval(sys.argv[2]) | variables,
                         capture_output=True, text=True).stdout.replace(address, "HOST"), end="")
ray_process.stop()
print([name for name in VARIABLES if name in os.environ], folder.exists())
"""
JOIN = """
import sys
from bench.execution.ray_machine import ray_process
from bench.trial.result import SweepError

try:
    ray_process.wait(sys.argv[1])
except SweepError as error:
    print(error)
"""
MUST = "it must be the cluster's (RAY_AUTH_MODE=token with RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token)"


def test_its_own_token_in_a_file_of_this_user_alone() -> None:
    """Also where the home folder cannot be written; others are refused, at once and with the reason."""
    home = environment() | {"HOME": "/proc/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", OWN, JOIN, repr(environment())], env=home, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "0o100600 64 True",
        f"Ray at HOST refuses this user: it demands a token, and RAY_AUTH_MODE is not set; {MUST}",
        f"Ray at HOST refuses this user: the token of RAY_AUTH_TOKEN is not its own; {MUST}",
        "[] False",
    ], done.stderr


def test_what_the_user_says_about_tokens_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """RAY_AUTH_MODE=disabled: no token is made."""
    from bench.execution.ray_machine.ray_token import VARIABLES, Token

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    token = Token(folder := tmp_path_factory.mktemp("ray"))
    assert list(folder.iterdir()) == []
    token.forget()
    assert {name: os.environ.get(name) for name in VARIABLES} == dict.fromkeys(VARIABLES) | {
        "RAY_AUTH_MODE": "disabled"
    }
