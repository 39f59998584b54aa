"""The command line: reading arguments and one-line errors. What they do stands in `bench.run` and `bench.commands`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from bench import names
from bench.catalogue import nearest
from bench.grammar import RATES_HELP, SEEDS_HELP
from bench.packs import Pack
from bench.result import SweepError
from bench.spec import Augmentation, Optimizer, Precision, Schedule, Statistics, TrialSpec

Command = Callable[..., int]
DEFAULTS = TrialSpec.__dataclass_fields__


def _field(name: str, flag: str, help_text: str, **kwargs: Any) -> Any:
    """An option that is a field of TrialSpec; its default is the field's."""
    default = DEFAULTS[name].default
    return click.option(flag, name, default=default, show_default=True, help=help_text, **kwargs)


PROTOCOL = [
    _field("epochs", "--epochs", "Epochs of training.", type=int),
    _field("batch_size", "--batch-size", "Images per step.", type=int),
    _field("optimizer", "--optimizer", "Optimizer.", type=click.Choice(get_args(Optimizer))),
    click.option("--lr", type=float, help="Learning rate.  [default: 0.1 for sgd; adam and adamw need it given]"),
    _field("momentum", "--momentum", "Momentum of SGD; beta_1 of Adam and AdamW.", type=float),
    _field("nesterov", "--nesterov/--no-nesterov", "Nesterov momentum (sgd).", is_flag=True),
    _field("weight_decay", "--weight-decay", "On live weights only.", type=float),
    _field("schedule", "--schedule", "Learning rate over the steps.", type=click.Choice(get_args(Schedule))),
    click.option("--milestones", default="", help="Of the step schedule: fractions of the training, as 0.5,0.75."),
    click.option("--gamma", type=float, help="Of the step schedule: factor at a milestone.  [default: 0.1]"),
    _field("warmup_epochs", "--warmup-epochs", "Linear warm-up.", type=float),
    _field("initialiser", "--initialiser", "How initial weights are drawn.", type=str),
    _field("validation_fraction", "--validation-fraction", "Share of train held out per seed.", type=float),
    _field("criterion_per_class", "--criterion-per-class", "Images per class the criterion sees.", type=int),
    _field("criterion_statistics", "--criterion-statistics", "Of BatchNorm while the criterion scores.", type=click.Choice(get_args(Statistics))),
    _field("augmentation", "--augmentation", "Of training images: flip, translation by up to 4 pixels.", type=click.Choice(get_args(Augmentation))),
    _field("precision", "--precision", "Arithmetic.", type=click.Choice(get_args(Precision))),
    click.option("--step", type=click.Choice(["auto", "dense", "sparse"]), default="auto", show_default=True,
                 help="Gradients of all weights, or of the live ones alone; auto: what is faster at the rate."),
    click.option("--pack", type=click.Choice(["auto", *get_args(Pack)]), default="auto", show_default=True,
                 help="Each trial alone, or all of one protocol in one batched step, its convolutions grouped (vmap) or as"
                 " products of their patches (unfold); auto: single on the cpu, unfold on cuda."),
    _field("tf32", "--tf32", "TF32 matrix products (cuda).", is_flag=True),
    _field("deterministic", "--deterministic/--no-deterministic", "cuDNN algorithms whose numbers repeat (cuda)."),
]  # fmt: skip


def _take_preset(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Give the other options the defaults of a preset."""
    from bench.presets import PRESETS

    if name is not None:
        if name not in PRESETS:
            raise click.UsageError(nearest("preset", name, list(PRESETS)))
        context.default_map = {**(context.default_map or {}), **PRESETS[name].options()}
    return name


def without_owner(context: click.Context) -> dict[str, Any]:
    """The plain defaults of the options that a preset gave and that belong to one the user gave."""
    from bench.presets import BELONG

    source, defaults = context.get_parameter_source, {p.name: p.default for p in context.command.params}
    plain = str, int, float, bool  # else click has a mark of its own for "no default"
    return {
        other: defaults[other] if isinstance(defaults[other], plain) else None
        for owner, others in BELONG.items()
        for other in others
        if source(owner) is ParameterSource.COMMANDLINE and source(other) is ParameterSource.DEFAULT_MAP
    }


RUN = [
    click.option("--preset", is_eager=True, expose_value=False, callback=_take_preset,
                 help="The protocol of a paper for defaults; see `list presets`."),
    click.option("--methods", default="freeze,snip", show_default=True, help="Comma list; name:field=value sets a field."),
    click.option("--rates", default="0.9:0.995", show_default=True, help=f"Not trained: {RATES_HELP}."),
    click.option("--seeds", default="5", show_default=True, help=f"{SEEDS_HELP}."),
    click.option("--dataset", default="digits", show_default=True, help="Data set: see `list datasets`, or folder:PATH."),
    click.option("--model", help="Network; see `list models`.  [default: the data set's own]"),
    click.option("--name", help="Name of the sweep.  [default: DATASET-MODEL]"),
    click.option("--dense/--no-dense", default=True, show_default=True, help="Train the dense baseline along."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("--executor", type=click.Choice(["ray", "local"]), default="ray", show_default=True,
                 help="Ray Tune over the machine's cores, or one trial after another in this process."),
    click.option("--cpus-per-trial", type=int, default=1, show_default=True, help="Threads of a trial."),
    click.option("--gpus-per-trial", type=float, help="GPUs of a trial, 0.25 = four share one.  [default: 1 on cuda]"),
    click.option("--address", help="Join the Ray cluster at this address."),
    click.option("--max-retries", type=int, help="How often a trial whose worker was lost starts again.  [default: 1]"),
    click.option("--storage", help="Folder or object store (s3://…, gs://…) of checkpoints, from which a stopped trial goes on."
                 "  [default: the user's cache folder; with --address none]"),
    click.option("--offline", type=click.Path(path_type=Path), help="Keep the results in this folder, without MLflow, for `import`; with --executor local."),
    click.option("--data-root", type=click.Path(path_type=Path), help="Folder of the data sets."),
    click.option("--plugin", "plugins", multiple=True, help="Module or .py file with a METHODS table; may be repeated."),
    click.option("--dry-run", is_flag=True, help="Train nothing: print what is missing, and an estimate of its time and memory."),
]  # fmt: skip

FILTERS = [
    click.option("--name", help="Show only the cells of this sweep."),
    click.option("--methods", help="Show only these methods, comma list."),
    click.option("--rates", help=f"Show only these rates: {RATES_HELP}."),
]

COMPARED = [
    click.option("--format", "format_", type=click.Choice(["github", "latex", "csv", "html", "json"]), default="github",
                 show_default=True),
    click.option("--reference", default="snip", show_default=True, help="The method the others are tested against."),
    click.option("--alpha", type=float, default=0.05, show_default=True, help="Level of the tests."),
    click.option("--metric", default="test_accuracy", show_default=True, help="Figure in the cells."),
    *FILTERS,
]  # fmt: skip

TABLE = [
    *COMPARED,
    click.option("--test", type=click.Choice(["t", "wilcoxon", "permutation"]), default="t", show_default=True,
                 help="Paired t test, exact Wilcoxon, or exact sign-flip permutation."),
    click.option("--margin", type=float, help="Of equivalence: percentage points of an accuracy, else the figure's own unit."
                 "  [default: 0.5 for accuracies, none for others]"),
    click.option("--controls", is_flag=True, help="Sanity controls beside their methods."),
    click.option("--published", is_flag=True, help="Published figures beside these, and how their protocols differ."),
    click.option("--ranks", is_flag=True, help="Also rank the methods shown over all data sets, networks and rates: Friedman, Nemenyi."),
]  # fmt: skip

REPORT = [
    click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page, .html or .md."),
    click.option("--reference", default="snip", show_default=True, help="The method the others are tested against."),
    click.option("--name", help="Show only the cells of this sweep."),
]  # fmt: skip

POWER = [
    click.option("--difference", type=float, help="To be found: percentage points of an accuracy, else the figure's own unit."
                 "  [default: 0.5 for accuracies]"),
    click.option("--power", type=float, default=0.8, show_default=True, help="Probability to find it."),
    *COMPARED,
]  # fmt: skip

PLOT = [
    click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True,
                 help="File to write, .png, .svg or .pdf."),
    click.option("--metric", help="Figure over the rates, the epochs or the stored bytes."
                 "  [default: test_accuracy; grad_norm_live for gradients]"),
    *FILTERS,
]  # fmt: skip

SPEED = [
    click.option("--methods", help="Comma list.  [default: freeze,snip; all with --criteria]"),
    click.option("--rates", default="0.99", show_default=True, help=f"Not trained: {RATES_HELP}."),
    click.option("--dataset", default="digits", show_default=True, help="Data set: see `list datasets`, or folder:PATH."),
    click.option("--model", help="Network; see `list models`.  [default: the data set's own]"),
    _field("batch_size", "--batch-size", "Images per step.", type=int),
    _field("augmentation", "--augmentation", "Of training images: flip, translation by up to 4 pixels.", type=click.Choice(get_args(Augmentation))),
    click.option("--precision", "precisions", help="Also the dense step in these, comma list of bfloat16, float64."),
    click.option("--steps", type=int, help="Steps of one variant before the next has its turn.  [default: 25]"),
    click.option("--rounds", type=int, help="How often each variant has its turn.  [default: 30; 3 with --machine and --criteria, 5 with --masks]"),
    click.option("--data-root", type=click.Path(path_type=Path), help="Folder of the data sets."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("--packs", help="Also packs of so many trials, comma list, in each kind of batched step."),
    click.option("--limits", is_flag=True, help="Instead: per kind of layer, the live fraction below which sparse is faster."),
    click.option("--machine", is_flag=True, help="Instead: whole trials on all cores, by `run` and by bare engines side by side."),
    click.option("--masks", is_flag=True, help="Instead: time, size and memory of coding a mask of 20 million weights, by rate."),
    click.option("--criteria", is_flag=True, help="Instead: time and memory of choosing the live weights, by criterion; on synthetic images."),
    click.option("--epochs", type=int, help=f"Of a trial of --machine.  [default: {DEFAULTS['epochs'].default}]"),
    click.option("--json", "json_", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file."),
]  # fmt: skip


def _with(options: Sequence[Any]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def cli() -> None:
    """Freeze or prune? Train both at an equal number of trained and stored parameters, and compare."""


@cli.command()
@_with([*RUN, *PROTOCOL])
def run(**options: Any) -> int:
    """Train what the store does not have yet: methods × rates × seeds."""
    from bench.run import run_sweep

    return run_sweep({**options, **without_owner(click.get_current_context())})


@cli.command()
@_with(TABLE)
def table(**options: Any) -> int:
    """Print the paper-style table of the store, with significance tests."""
    from bench.commands import print_table

    return print_table(options)


@cli.command()
@_with(REPORT)
def report(**options: Any) -> int:
    """Write the whole store as one page: the answer, tables, figures, controls, threats to validity, commands."""
    from bench.commands import write_report

    return write_report(options)


@cli.command()
@_with(POWER)
def power(**options: Any) -> int:
    """How many seeds a difference needs, from the spread of the store's paired differences."""
    from bench.commands import print_power

    return print_power(options)


@cli.command()
@click.argument("kind", type=click.Choice(["gradients", "accuracy", "storage", "ranks"]))
@_with(PLOT)
def plot(**options: Any) -> int:
    """Draw the store: gradients over epochs, accuracy over rate or stored bytes, or ranks of methods over everything."""
    from bench.commands import write_plot

    return write_plot(options)


@cli.command("list")
@click.argument("what", type=click.Choice(["methods", "models", "datasets", "presets", "trials"]))
@click.option("--format", "format_", type=click.Choice(["plain", "github", "csv"]), default="plain", show_default=True)
@click.option("--plugin", "plugins", multiple=True, help="Module or .py file with a METHODS table; may be repeated.")
def list_(**options: Any) -> int:
    """List what there is: methods, models, datasets, presets, or the store's trials."""
    from bench.commands import print_list

    return print_list(options)


@cli.command("import")
@click.argument("place", metavar="DIR", type=click.Path(exists=True, path_type=Path))
def import_(**options: Any) -> int:
    """Store what `run --offline DIR` kept, or a rescue folder: each trial once."""
    from bench.commands import import_trials

    return import_trials(options)


DATA_ROOT = click.option("--data-root", type=click.Path(path_type=Path), help="Folder of the data sets.")


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
    from bench.network_commands import export

    return export(options)


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@DATA_ROOT
def verify(**options: Any) -> int:
    """Rebuild a stored network from its file, and compare weights, logits and test accuracy with what was recorded."""
    from bench.network_commands import verify

    return verify(options)


@cli.command()
@click.option("--value-dtype", default=",".join(names.VALUE_DTYPES[1:]), show_default=True, help="Types, comma list.")
@click.option("--name", help="Only the trials of this sweep.")
@DATA_ROOT
def narrow(**options: Any) -> int:
    """Measure the store's networks with narrower values: bytes, and the accuracy after reading them back."""
    from bench.network_commands import narrow

    return narrow(options)


@cli.command()
@_with(SPEED)
def speed(**options: Any) -> int:
    """Time training steps: a plain researcher's loop, the dense and the sparse step, on one thread. Or whole trials."""
    from bench.speed_command import run_speed

    return run_speed(options)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=5000, show_default=True)
def ui(**options: Any) -> int:
    """Open the MLflow UI on the store that `run` writes."""
    from bench.commands import open_ui

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
