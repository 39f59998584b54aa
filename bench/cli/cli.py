"""The command line: the commands and one-line errors. What each command does is in the files beside this one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench import __version__
from bench.cli.options import PRESET, takes
from bench.cli.requests import networks, store, sweep
from bench.cli.speed_group import speed
from bench.trial.result import SweepError

SCRIPT = "freeze-or-prune"  # the command that an installation makes; it does what `python -m bench` does


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message=f"{SCRIPT} %(version)s")
def cli() -> None:
    """Freeze or prune? Train both at an equal number of trained and stored parameters, and compare."""


@cli.command()
@PRESET
@takes(sweep.RunRequest)
def run(request: sweep.RunRequest) -> int:
    """Train what the store does not have yet: methods × rates × seeds."""
    from bench.cli.run import run_sweep

    return run_sweep(request)


@cli.command()
@PRESET
@takes(sweep.TuneRequest)
def tune(request: sweep.TuneRequest) -> int:
    """Choose hyper-parameters, one budget for every method and rate, by validation accuracy; for `run --tuned`."""
    from bench.cli.tune import run_tune

    return run_tune(request)


@cli.command()
@takes(store.TableRequest)
def table(request: store.TableRequest) -> int:
    """Print the paper-style table of the store, with significance tests."""
    from bench.cli.results_commands import print_table

    return print_table(request)


@cli.command()
@takes(store.ReportRequest)
def report(request: store.ReportRequest) -> int:
    """Write the whole store as one page: the answer, tables, figures, controls, threats to validity, commands."""
    from bench.cli.results_commands import write_report

    return write_report(request)


@cli.command()
@takes(store.PowerRequest)
def power(request: store.PowerRequest) -> int:
    """How many seeds a difference needs, from the spread of the store's paired differences."""
    from bench.cli.results_commands import print_power

    return print_power(request)


@cli.command()
@takes(store.PlotRequest)
def plot(request: store.PlotRequest) -> int:
    """Draw the store: freeze − prune, accuracy, gradients over epochs, accuracy over stored bytes, ranks of methods."""
    from bench.cli.results_commands import write_plot

    return write_plot(request)


@cli.command("list")
@takes(store.ListRequest)
def list_(request: store.ListRequest) -> int:
    """List what there is: methods, models, datasets, presets; of the store its trials, or the candidates of `tune`."""
    from bench.cli.list_command import print_list

    return print_list(request)


@cli.command("import")
@takes(store.ImportRequest)
def import_(request: store.ImportRequest) -> int:
    """Store what `run --offline DIR` kept, or a rescue folder: each trial once."""
    from bench.cli.store_commands import import_trials

    return import_trials(request)


@cli.command()
@takes(networks.ExportRequest)
def export(request: networks.ExportRequest) -> int:
    """Write the stored network of a trial; RUN is the beginning of its run or run key, see `list trials`."""
    from bench.cli.network_commands import export

    return export(request)


@cli.command()
@takes(networks.VerifyRequest)
def verify(request: networks.VerifyRequest) -> int:
    """Rebuild a stored network from its file, and compare weights, logits and test accuracy with what was recorded."""
    from bench.cli.verify_command import verify

    return verify(request)


@cli.command()
@takes(networks.NarrowRequest)
def narrow(request: networks.NarrowRequest) -> int:
    """Measure the store's networks with narrower values: bytes, and the accuracy after reading them back."""
    from bench.cli.network_commands import narrow

    return narrow(request)


@cli.command()
@takes(store.UiRequest)
def ui(request: store.UiRequest) -> int:
    """Open the MLflow UI on the store that `run` writes."""
    from bench.cli.store_commands import open_ui

    return open_ui(request)


cli.add_command(speed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some trials failed or diverged, 2 usage error."""
    program = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m bench"
    try:
        code = cli.main(args=arguments, prog_name=program, standalone_mode=False)
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
