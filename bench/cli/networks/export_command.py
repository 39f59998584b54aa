"""The `export` command. A network that is written as it is needs neither torch nor MLflow."""

from __future__ import annotations

from pathlib import Path

from bench import names
from bench.api.stored import existing_store
from bench.artefact.container import unseal
from bench.artefact.small_widths import SUFFIXES, WIDTHS
from bench.cli.networks.run_network import base_words, network_of_run
from bench.cli.requests.networks import ExportRequest
from bench.disk import absolute, write_whole
from bench.messages import say, usage_errors
from bench.storage.store_uri import check_output
from bench.stored_runs.reading import tagged
from bench.trial.plugins import Catalogue

SHORTEST = 4  # characters of a run or run key that name a trial


def export(request: ExportRequest) -> int:
    """Write the stored network of a trial to a file."""
    with usage_errors():
        file = absolute(request.output).resolve()
        _check_export(request, file)
        Catalogue(request.plugins)
        check_output(f"output {request.output}", file)
        if request.shrink:
            check_output(f"output {request.output}", file.with_suffix(WIDTHS))
        uri = existing_store()
        data = network_of_run(uri, _run(uri, request.run))
        if request.shrink or request.value_dtype:
            from bench.cli import network_commands
            from bench.cli.networks.bases import Bases

            bases = Bases(request.bases, None if request.bases else lambda: uri)
            if request.shrink:
                return network_commands.export_small(data, bases, file, request)
            data = network_commands.export_narrower(data, bases, request)
    write_whole(file, data)
    say(f"{request.output}: {len(data):,} bytes; `python -m bench verify {request.output}` rebuilds and checks it")
    _say_base(data)
    return 0


def _check_export(request: ExportRequest, file: Path) -> None:
    """Raise ValueError if the options do not go together."""
    if request.data_root is not None and not request.value_dtype:
        raise ValueError("--data-root without --value-dtype: must be with it, to measure the accuracy")
    if request.dataset is not None and not request.value_dtype:
        raise ValueError("--dataset without --value-dtype: must be with it, to measure the accuracy")
    for option, given in (("plugin", request.plugins), ("base", request.bases)):
        if given and not (request.value_dtype or request.shrink):
            must = "must be with one of them, which rebuild the network"
            raise ValueError(f"--{option} without --value-dtype or --shrink: {must}")
    if request.shrink and request.value_dtype:
        raise ValueError("--shrink with --value-dtype: must be one of them; other programs read no narrower values")
    if request.shrink and file.suffix not in SUFFIXES:
        raise ValueError(f"output {request.output} with --shrink: must end in {', '.join(SUFFIXES[:-1])} or .onnx")
    if file.suffix in SUFFIXES and not request.shrink:
        raise ValueError(f"output {request.output} without --shrink: must end in .frz")


def _say_base(data: bytes) -> None:
    """Say which other file the network cannot be rebuilt without, and how to have it."""
    header = unseal(data)[0]
    if (base := header.base) is not None and header.needs_base:
        given = base.key == base.weights
        how = (
            "the file that the trial started from" if given else f"`python -m bench export {base.key[:12]} -o base.frz`"
        )
        say(f"its frozen weights are those of its base, {base_words(base)}: {how}; `verify --base` takes it")


def _run(uri: str, beginning: str) -> str:
    """The run of the finished trial whose run, or run key, begins so."""
    trials = tagged(uri, names.RUN_KEY, "FINISHED")
    matches = {run for run, key in trials if run.startswith(beginning) or key.startswith(beginning)}
    if len(beginning) < SHORTEST or len(matches) != 1:
        fits = f"begins {len(matches)} of" if matches and len(beginning) >= SHORTEST else "is none of"
        raise ValueError(
            f"run {beginning!r}: {fits} the {len(trials)} finished trials; must be the beginning of a run or a run "
            f"key, at least {SHORTEST} characters, as `python -m bench list trials` shows them"
        )
    return matches.pop()
