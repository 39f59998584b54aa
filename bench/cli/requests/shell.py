"""What the command for shells is asked: completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bench.cli.options import argument
from bench.cli.shell.values import OneOf

Shell = Literal["bash", "zsh", "fish"]


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """The script for a shell."""

    shell: Shell = argument(type=OneOf(get_args(Shell)))
