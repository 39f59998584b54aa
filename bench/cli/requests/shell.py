"""What the command for shells is asked: completion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import click

from bench.cli.options import argument

Shell = Literal["bash", "zsh", "fish"]


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """The script for a shell."""

    shell: Shell = argument(type=click.Choice(get_args(Shell)))
