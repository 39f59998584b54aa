"""The options of the commands, as tables; what a command does with them stands elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bench.cli.grammar import RATES_HELP, SEEDS_HELP
from bench.cli.protocol_options import protocol_option, protocol_options
from bench.messages import nearest
from bench.trial.protocol import ROWS
from bench.trial.search import SEARCH_HELP

Command = Callable[..., int]
DATA_ROOT = click.option("--data-root", type=click.Path(path_type=Path), help="Folder of the data sets.")
PROTOCOL = protocol_options()


def _take_preset(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Give the other options the defaults of a preset."""
    from bench.cli.presets import PRESETS

    if name is not None:
        if name not in PRESETS:
            raise click.UsageError(nearest("preset", name, list(PRESETS)))
        given = {**(context.default_map or {}), **PRESETS[name].options()}
        if context.info_name == "tune":
            given.pop("seeds", None)  # a preset's are those that are reported
        context.default_map = given
    return name


def without_owner(context: click.Context) -> dict[str, Any]:
    """The plain defaults of the options that a preset gave and that belong to one the user gave."""
    source, defaults = context.get_parameter_source, {p.name: p.default for p in context.command.params}
    plain = str, int, float, bool  # else click has a mark of its own for "no default"
    return {
        name: defaults[name] if isinstance(defaults[name], plain) else None
        for name, row in ROWS.items()
        if row.owner
        and source(row.owner) is ParameterSource.COMMANDLINE
        and source(name) is ParameterSource.DEFAULT_MAP
    }


WHAT = [
    click.option("--preset", is_eager=True, expose_value=False, callback=_take_preset,
                 help="The protocol of a paper for defaults; see `list presets`."),
    click.option("--methods", default="freeze,snip", show_default=True, help="Comma list; name:field=value sets a field."),
    click.option("--rates", default="0.9:0.995", show_default=True, help=f"Not trained: {RATES_HELP}."),
    click.option("--dataset", default="digits", show_default=True, help="Data set: see `list datasets`, or folder:PATH."),
    click.option("--model", help="Network; see `list models`.  [default: the data set's own]"),
    click.option("--name", help="Name of the sweep.  [default: DATASET-MODEL]"),
    click.option("--dense/--no-dense", default=True, show_default=True, help="Train the dense baseline along."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("--cpus-per-trial", type=int, default=1, show_default=True, help="Threads of a trial."),
    click.option("--gpus-per-trial", type=float, help="GPUs of a trial, 0.25 = four share one.  [default: 1 on cuda]"),
    click.option("--address", help="Join the Ray cluster at this address."),
    DATA_ROOT,
    click.option("--plugin", "plugins", multiple=True, help="Module or .py file with a METHODS table; may be repeated."),
]  # fmt: skip

RUN = [
    *WHAT[:3],
    click.option("--seeds", default="5", show_default=True, help=f"{SEEDS_HELP}."),
    *WHAT[3:],
    click.option("--executor", type=click.Choice(["ray", "local"]), default="ray", show_default=True,
                 help="Ray Tune over the machine's cores, or one trial after another in this process."),
    click.option("--max-retries", type=int, help="How often a trial whose worker was lost starts again.  [default: 1]"),
    click.option("--storage", help="Folder or object store (s3://…, gs://…) of checkpoints, from which a stopped trial goes on."
                 "  [default: the user's cache folder; with --address none]"),
    click.option("--offline", type=click.Path(path_type=Path), help="Keep the results in this folder, without MLflow, for `import`; with --executor local."),
    click.option("--dry-run", is_flag=True, help="Train nothing: print what is missing, and an estimate of its time and memory."),
    click.option("--tuned", is_flag=False, flag_value="", metavar="[SEARCH]",
                 help="Train each method and rate with the values that `tune` chose for it; SEARCH: which, where several fit."),
]  # fmt: skip

TUNE = [
    *WHAT[:3],
    click.option("--search", default="lr", show_default=True, help=f"What: {SEARCH_HELP}."),
    click.option("--budget", type=int, default=8, show_default=True, help="Candidates for each method and rate, and for dense."),
    click.option("--seeds", default="1000:1000", show_default=True,
                 help="Of every candidate, and of no trial that is reported: first:last, or a comma list."),
    *WHAT[3:],
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

TEST = click.option("--test", type=click.Choice(["t", "wilcoxon", "permutation"]), default="t", show_default=True,
                    help="Paired t test, exact Wilcoxon, or exact sign-flip permutation.")  # fmt: skip

TABLE = [
    *COMPARED,
    TEST,
    click.option("--margin", type=float, help="Of equivalence: percentage points of an accuracy, else the figure's own unit."
                 "  [default: 0.5 for accuracies, none for others]"),
    click.option("--controls", is_flag=True, help="Sanity controls beside their methods."),
    click.option("--published", is_flag=True, help="Published figures beside these, and how their protocols differ."),
    click.option("--ranks", is_flag=True, help="Also rank the methods shown over all data sets, networks and rates: Friedman, Nemenyi."),
]  # fmt: skip

REPORT = [
    click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The page, .html or .md."),
    click.option("--reference", default="snip", show_default=True, help="The method the others are tested against."),
    TEST,
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
    protocol_option("batch_size"),
    protocol_option("augmentation"),
    click.option("--precision", "precisions", help="Also the dense step in these, comma list of bfloat16, float64."),
    click.option("--steps", type=int, help="Steps of one variant before the next has its turn.  [default: 25]"),
    click.option("--rounds", type=int, help="How often each variant has its turn.  [default: 30; 3 with --machine and --criteria, 5 with --masks]"),
    DATA_ROOT,
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option("--packs", help="Also packs of so many trials, comma list, in each kind of batched step."),
    click.option("--limits", is_flag=True, help="Instead: per kind of layer, the live fraction below which sparse is faster."),
    click.option("--machine", is_flag=True, help="Instead: whole trials on all cores, by `run` and by bare engines side by side."),
    click.option("--masks", is_flag=True, help="Instead: time, size and memory of coding a mask of 20 million weights, by rate."),
    click.option("--criteria", is_flag=True, help="Instead: time and memory of choosing the live weights, by criterion; on synthetic images."),
    click.option("--epochs", type=int, help=f"Of a trial of --machine.  [default: {ROWS['epochs'].default}]"),
    click.option("--json", "json_", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file."),
]  # fmt: skip


def with_options(options: Sequence[Any]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add
