"""The command line: the commands and one-line errors. What they do stands in the files beside this one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bench import names
from bench.cli.options import (
    DATA_ROOT,
    PLOT,
    POWER,
    PROTOCOL,
    REPORT,
    RUN,
    SPEED,
    TABLE,
    TUNE,
    with_options,
    without_owner,
)
from bench.trial.result import SweepError


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def cli() -> None:
    """Freeze or prune? Train both at an equal number of trained and stored parameters, and compare."""


@cli.command()
@with_options([*RUN, *PROTOCOL])
def run(**options: Any) -> int:
    """Train what the store does not have yet: methods × rates × seeds."""
    from bench.cli.run import run_sweep

    return run_sweep({**options, **without_owner(click.get_current_context())})


@cli.command()
@with_options([*TUNE, *PROTOCOL])
def tune(**options: Any) -> int:
    """Choose hyper-parameters, one budget for every method and rate, by validation accuracy; for `run --tuned`."""
    from bench.cli.tune import run_tune

    return run_tune({**options, **without_owner(click.get_current_context())})


@cli.command()
@with_options(TABLE)
def table(**options: Any) -> int:
    """Print the paper-style table of the store, with significance tests."""
    from bench.cli.commands import print_table

    return print_table(options)


@cli.command()
@with_options(REPORT)
def report(**options: Any) -> int:
    """Write the whole store as one page: the answer, tables, figures, controls, threats to validity, commands."""
    from bench.cli.commands import write_report

    return write_report(options)


@cli.command()
@with_options(POWER)
def power(**options: Any) -> int:
    """How many seeds a difference needs, from the spread of the store's paired differences."""
    from bench.cli.commands import print_power

    return print_power(options)


@cli.command()
@click.argument("kind", type=click.Choice(["difference", "accuracy", "gradients", "storage", "ranks"]))
@with_options(PLOT)
def plot(**options: Any) -> int:
    """Draw the store: freeze − prune, accuracy, gradients over epochs, accuracy over stored bytes, ranks of methods."""
    from bench.cli.commands import write_plot

    return write_plot(options)


@cli.command("list")
@click.argument("what", type=click.Choice(["methods", "models", "datasets", "presets", "trials", "candidates"]))
@click.option("--format", "format_", type=click.Choice(["plain", "github", "csv"]), default="plain", show_default=True)
@click.option("--plugin", "plugins", multiple=True, help="Module or .py file with a METHODS table; may be repeated.")
@click.option("--name", help="Of trials: only those of this sweep.")
@click.option("--columns", help="Of trials: only these, comma list.  [default: csv has all, a table the main ones]")
def list_(**options: Any) -> int:
    """List what there is: methods, models, datasets, presets; of the store its trials, or the candidates of `tune`."""
    from bench.cli.list_command import print_list

    return print_list(options)


@cli.command("import")
@click.argument("place", metavar="DIR", type=click.Path(exists=True, path_type=Path))
def import_(**options: Any) -> int:
    """Store what `run --offline DIR` kept, or a rescue folder: each trial once."""
    from bench.cli.commands import import_trials

    return import_trials(options)


@cli.command()
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write, .frz."
)
@click.option(
    "--value-dtype",
    type=click.Choice(names.VALUE_DTYPES[1:]),
    help="Store the live weights in this type; measures the accuracy that is left.",
)
@DATA_ROOT
def export(**options: Any) -> int:
    """Write the stored network of a trial; RUN is the beginning of its run or run key, see `list trials`."""
    from bench.cli.network_commands import export

    return export(options)


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@DATA_ROOT
def verify(**options: Any) -> int:
    """Rebuild a stored network from its file, and compare weights, logits and test accuracy with what was recorded."""
    from bench.cli.network_commands import verify

    return verify(options)


@cli.command()
@click.option("--value-dtype", default=",".join(names.VALUE_DTYPES[1:]), show_default=True, help="Types, comma list.")
@click.option("--name", help="Only the trials of this sweep.")
@DATA_ROOT
def narrow(**options: Any) -> int:
    """Measure the store's networks with narrower values: bytes, and the accuracy after reading them back."""
    from bench.cli.network_commands import narrow

    return narrow(options)


@cli.command()
@with_options(SPEED)
def speed(**options: Any) -> int:
    """Time training steps: a plain researcher's loop, the dense and the sparse step, on one thread. Or whole trials."""
    from bench.cli.speed_command import run_speed

    return run_speed(options)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=5000, show_default=True)
def ui(**options: Any) -> int:
    """Open the MLflow UI on the store that `run` writes."""
    from bench.cli.commands import open_ui

    return open_ui(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some trials failed or diverged, 2 usage error."""
    try:
        code = cli.main(args=arguments, prog_name="python -m bench", standalone_mode=False)
    except click.ClickException as error:
        return _complain(error.format_message())
    except SweepError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:  # `… table | head`
        sys.stderr.close()
        return 0
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return code if isinstance(code, int) else 0


def _complain(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
