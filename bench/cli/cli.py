"""The command line: the commands and one-line errors. A command is one row; what it does is in the file it names."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

import click

from bench import __version__
from bench.cli import error_report, streams
from bench.cli.options import CommandRow, command_of
from bench.cli.requests import networks, plan, shell, speed, store, sweep
from bench.cli.shell.completion import SCRIPT, answered
from bench.cli.shell.groups import SectionedGroup
from bench.messages import say, store_error
from bench.storage.database import without_start
from bench.trial.result import SweepError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, or the user's share of it
CLOSED = (errno.EBADF, errno.EIO)  # of an error that names no file: standard output, or the terminal it was


@click.group(
    cls=SectionedGroup,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, message=f"{SCRIPT} %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, which else is one line.")
def cli(debug: bool) -> None:
    """Freeze or prune? Train both at an equal number of trained and stored parameters, and compare."""
    error_report.IS_DEBUG.set(debug)


COMMANDS = (
    CommandRow(
        "plan", plan.PlanRequest, "bench.cli.plan.command:make_plan", section="Train", config=True,
        help="Say what is to be compared and how often one looks, before it is trained; takes the words of `run`.",
    ),
    CommandRow(
        "run", sweep.RunRequest, "bench.cli.run:run_sweep", section="Train", config=True,
        help="Train what the store does not have yet: methods × rates × seeds.",
    ),
    CommandRow(
        "tune", sweep.TuneRequest, "bench.cli.tune:run_tune", section="Train", config=True,
        help="Choose hyper-parameters, one budget for every method and rate, by validation accuracy; for `run --tuned`.",
    ),
    CommandRow(
        "table", store.TableRequest, "bench.cli.results_commands:print_table", section="Show",
        help="Print the paper-style table of the store, with significance tests.",
    ),
    CommandRow(
        "report", store.ReportRequest, "bench.cli.results_commands:write_report", section="Show",
        help="Write the whole store as one page: the answer, tables, figures, controls, threats to validity, commands.",
    ),
    CommandRow(
        "power", store.PowerRequest, "bench.cli.results_commands:print_power", section="Show",
        help="Say how many seeds a difference needs, from the spread of the store's paired differences.",
    ),
    CommandRow(
        "plot", store.PlotRequest, "bench.cli.results_commands:write_plot", section="Show",
        help="Draw the store: freeze − prune, accuracy, gradients over epochs, accuracy over stored bytes, ranks of methods.",
    ),
    CommandRow(
        "list", store.ListRequest, "bench.cli.list_command:print_list", section="Show",
        help="List what there is: methods, models, datasets, presets; of the store its trials, or the candidates of `tune`.",
    ),
    CommandRow(
        "ui", store.UiRequest, "bench.cli.store_commands:open_ui", section="Show",
        help="Open the MLflow UI on the store that `run` writes.",
    ),
    CommandRow(
        "import", store.ImportRequest, "bench.cli.store_commands:import_trials", section="Store",
        help="Store what `run --offline DIR` kept, or a rescue folder: each trial once.",
    ),
    CommandRow(
        "doctor", store.DoctorRequest, "bench.cli.doctor.command:examine", section="Store",
        help="Say what is wrong with the store: what was left running or undelivered, is damaged, missing, or disagrees.",
    ),
    CommandRow(
        "export", networks.ExportRequest, "bench.cli.networks.export_command:export", section="Networks",
        help="Write the stored network of a trial; RUN is the beginning of its run or run key, see `list trials`.",
    ),
    CommandRow(
        "verify", networks.VerifyRequest, "bench.cli.verify_command:verify", section="Networks",
        help="Rebuild a stored network from its file, and compare weights, logits and test accuracy with what was recorded.",
    ),
    CommandRow(
        "narrow", networks.NarrowRequest, "bench.cli.network_commands:narrow", section="Networks",
        help="Measure the store's networks with narrower values: bytes, and the accuracy after reading them back.",
    ),
    CommandRow(
        "completion", shell.CompletionRequest, "bench.cli.shell.completion:print_script", section="Shell",
        help="Print the script by which a shell completes commands, options and values; it is for `freeze-or-prune`.",
    ),
)  # fmt: skip
SPEED = (
    CommandRow(
        "step", speed.StepRequest, "bench.cli.speed_commands:time_steps",
        help="Time training steps: a plain researcher's loop, the dense and the sparse step, on one thread.",
    ),
    CommandRow(
        "packs", speed.PacksRequest, "bench.cli.speed_commands:time_packs",
        help="Time a network's kinds of batched step in packs, count the memory that each moves, and propose one.",
    ),
    CommandRow(
        "trials", speed.TrialsRequest, "bench.cli.speed_commands:time_trials",
        help="Time whole trials on all cores, by `run` and by bare engines side by side.",
    ),
    CommandRow(
        "scoring", speed.ScoringRequest, "bench.cli.speed_commands:measure_scoring",
        help="Measure time and memory of choosing the live weights, by criterion; on synthetic images.",
    ),
    CommandRow(
        "masks", speed.MasksRequest, "bench.cli.speed_commands:measure_masks",
        help="Measure time, size and memory of coding a mask of 20 million weights, by rate.",
    ),
    CommandRow(
        "store", speed.StoreRequest, "bench.cli.speed_commands:time_store",
        help="Time what reading a store of many trials takes: table, run, export, list, doctor; makes one of 2.5 GB.",
    ),
    CommandRow(
        "limits", speed.LimitsRequest, "bench.cli.speed_commands:find_limits",
        help="Find, per kind of layer, the live fraction below which a sparse step is faster than a dense one.",
    ),
)  # fmt: skip


@click.group("speed", cls=SectionedGroup, section="Speed", no_args_is_help=False)
def speed_group() -> None:
    """Time what training takes on this machine: a step, whole trials, scoring, coding a mask."""


for row in COMMANDS:
    cli.add_command(command_of(row))
cli.add_command(speed_group)
for row in SPEED:
    speed_group.add_command(command_of(row))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some trials failed or diverged, 2 usage error.

    An error that nobody foresaw is one line too, and a report in a folder; its exit code is 1.
    """
    error_report.IS_DEBUG.set(False)
    try:
        return _main(arguments)
    except Exception as error:
        return error_report.report(error)


def _main(arguments: Sequence[str] | None) -> int:
    """As `main`, for the errors that are foreseen."""
    _settle_environment()
    program = SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m bench"
    try:
        if (answer := answered(cli)) is not None:
            return answer
        code = cli.main(args=arguments, prog_name=program, standalone_mode=False)
        sys.stdout.flush()  # here, where an error is told in one line
    except click.ClickException as error:
        return _complain(error.format_message())
    except SweepError as error:
        _complain(str(error))
        return 1
    except (click.Abort, KeyboardInterrupt) as error:  # before RuntimeError, which Abort is one of
        return _interrupted(error.__cause__ or error)
    except RuntimeError as error:
        if "home directory" not in str(error):
            raise
        return _complain(f"no home folder is known, which MLflow and the cache need: HOME must name one ({error})")
    except BrokenPipeError:  # `… table | head`
        sys.stderr.close()
        streams.drop_output()
        return 0
    except OSError as error:
        if error.errno not in FULL and (error.filename or error.errno not in CLOSED):
            raise
        streams.drop_output()
        return _complain(f"{error.filename or 'output'}: cannot be written: {error.strerror}")
    except SystemExit as error:  # raised by a network's own code, in this process
        _complain(
            f"ended by SystemExit ({error.code}), which none of our code raises; the same command goes on from here"
        )
        return 1
    except Exception as error:
        if (reason := store_error(error)) is None:
            raise
        from bench.storage.mlflow_store import store_uri  # what raised the error has imported MLflow

        return _complain(f"store {store_uri()}: {reason}{without_start(store_uri(), reason)}")
    return code if isinstance(code, int) else 0


def _interrupted(error: BaseException) -> int:
    """Say what an interrupt leaves behind; 130, or the end by SIGTERM if that is what it was.

    Another interrupt, as a key that is pressed twice, then ends the process at once: all that is kept is on the disk.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stderr.isatty():  # which has shown ^C
        print("\r\x1b[K", end="", file=sys.stderr)
    kept = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    say(f"interrupted{kept}; the same command goes on from here")
    from bench.execution.events import Terminated

    if isinstance(error, Terminated):
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGTERM)
    return 130


def _settle_environment() -> None:
    """Undo what the environment asks of programs in general, if it would end this one in a traceback."""
    streams.settle()
    if any(option.startswith("error") for option in sys.warnoptions):  # a library's warnings are not the user's errors
        warnings.simplefilter("ignore")
        os.environ.pop("PYTHONWARNINGS", None)  # Ray's processes are Python's too


def _complain(message: str) -> int:
    if error_report.IS_DEBUG.get() and (error := sys.exception()) is not None:
        error_report.say_traceback(error)
    say(f"error: {' '.join(message.split())}")
    return 2
