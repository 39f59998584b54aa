"""The `verify` command: a stored network rebuilt from its file, against what was recorded of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from tabulate import tabulate

from bench.api.stored import existing_store
from bench.artefact.artefact import Artefact
from bench.artefact.container import sizes
from bench.artefact.header import Header
from bench.artefact.narrow import accuracy_of, data_of, images_of
from bench.artefact.network_file import header_of, open_artefact
from bench.cli.networks.bases import Bases
from bench.cli.networks.run_network import base_words
from bench.cli.requests.networks import VerifyRequest
from bench.engine.setup.checksums import IMAGES, logits_checksum
from bench.messages import say, usage_errors, visible
from bench.models import MODELS
from bench.models.structure.weight_use import uses_of
from bench.trial.plugins import Catalogue

# A file says itself how large its images are, and some networks take any: a few bytes could ask for days.
MOST_MACS = 2e12
NATIVE = {"float32": "float32", "bfloat16": "float32", "float64": "float64"}  # precision -> type of the weights


def verify(request: VerifyRequest) -> int:
    """Rebuild a stored network and compare it with what was recorded; 1 if it differs."""
    file = request.file
    with usage_errors():
        Catalogue(request.plugins)
    try:
        network = _opened(file, request.bases)
    except ValueError as error:
        say(f"error: {error}")
        return 1
    header = network.header
    if (macs := _macs(network)) > MOST_MACS:
        images = f"{IMAGES} images {'×'.join(map(str, header.image_shape))}"
        most = f"must be at most {MOST_MACS:.2g}"
        say(f"error: {file}: its logits on {images} take {macs:.2g} multiply-accumulates: {most}")
        return 1
    same = logits_checksum(network.model, header.spec.seed, tuple(header.image_shape)) == header.sha256.logits
    try:
        now = accuracy_of(network, images_of(network, data_of(network, request.data_root, request.dataset)))
    except ValueError as error:
        now, obstacle = None, str(error)
    rows = [*_facts(network, file.read_bytes()), ("logits", _logits(same, header.image_shape))]
    rows.append(("test accuracy", f"recorded {percent(header.test_accuracy)}, now {percent(now)}"))
    click.echo(tabulate([(name, visible(words)) for name, words in rows], tablefmt="plain", disable_numparse=True))
    if now is None:
        say(f"error: the accuracy was not measured: {obstacle}")
    elif now != header.test_accuracy:
        say(f"warning: another accuracy{_why(header)}")
    return 0 if same and now is not None and abs(now - header.test_accuracy) <= _slack(header) else 1


def _macs(network: Artefact) -> int:
    """What the logits cost that are compared, in multiply-accumulates, found without computing them."""
    uses = uses_of(copy.deepcopy(network.model).to("meta"), tuple(network.header.image_shape))
    return IMAGES * sum(use.macs for use in uses.values())


def _opened(file: Path, given: Sequence[Path]) -> Artefact:
    """The network, with the bases that it needs; of a file without one as `open_artefact` has it."""
    if header_of(file).base is None:
        return open_artefact(file)
    try:
        bases = Bases(given, None if given else existing_store).of(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return open_artefact(file, bases)


def _facts(network: Artefact, data: bytes) -> Iterator[tuple[str, str]]:
    header, bytes_of, spec = network.header, sizes(data), network.header.spec
    extra = spec.model_extra or {}
    total_bytes = sum(p.nbytes for p in network.model.parameters())
    everything = MODELS[spec.model].parameters(header.classes, tuple(header.image_shape))
    stored = everything - sum(int((~mask).sum()) for mask in network.masks.values())
    yield "trial", f"{extra.get('dataset')} · {spec.model} · rate {extra.get('rate')} · seed {spec.seed}"
    held = spec.method.background
    words = held if isinstance(held, str) else f"scale {held:g}"
    words += "" if spec.method.fade_to is None else f", faded to scale {spec.method.fade_to:g}"
    yield "method", f"{words}, criterion {(spec.method.model_extra or {}).get('criterion')}"
    yield "run key", header.run_key
    yield "stored bytes", f"{len(data):,}: {', '.join(f'{name} {size:,}' for name, size in bytes_of.items())}"
    yield "compression", f"×{total_bytes / len(data):.1f} in bytes, ×{everything / stored:.1f} in parameters"
    yield "values", f"{sum(header.live):,} live weights as {header.value_type}, {stored - sum(header.live):,} others"
    if network.header.base is not None:
        yield from _base(network)
    yield "initial weights", _initial(network)
    yield "weights", f"equal bit for bit, SHA-256 {header.sha256.weights[:16]}…"


def _base(network: Artefact) -> Iterator[tuple[str, str]]:
    record = network.header.base
    assert record is not None
    needed = network.header.needs_base
    size = f"{len(network.bases[record.key]):,} bytes, shared by all that start from it" if needed else "not needed"
    yield "base", f"{base_words(record)}: {size}"
    if needed and record.key != record.weights:
        yield "base weights", f"equal bit for bit, SHA-256 {record.weights[:16]}…"


def _initial(network: Artefact) -> str:
    if network.header.is_self_contained:
        return "not needed"
    source = "the seed" if network.header.base is None else "the base and the seed"
    return f"reproduced from {source} bit for bit, SHA-256 {network.header.sha256.init[:16]}…"


def _logits(same: bool, shape: list[int]) -> str:
    batch = f"{IMAGES} images {'×'.join(map(str, shape))}, float64 rounded to float32"
    return f"{'equal bit for bit' if same else 'DIFFERENT'} ({batch})"


def percent(value: float | None) -> str:
    """A fraction in percent; a dash for None."""
    return "–" if value is None else f"{100 * value:.2f} %"


def _why(header: Header) -> str:
    """Why the recorded accuracy may differ by a few images from that of the network alone on this machine's CPU."""
    record = header.spec.model_extra or {}
    if header.value_type != NATIVE.get(header.spec.precision):
        return ""  # it was measured when the values were narrowed, on a CPU
    if record.get("device") == "cuda":
        return ": it was recorded on a GPU"
    if (header.spec.method.model_extra or {}).get("criterion") == "small-dense":
        return ": it was recorded of the network without its closed channels"
    return ": it was recorded in a batched step" if record.get("pack", "single") != "single" else ""


def _slack(header: Header) -> float:
    """The difference that is no error: one image in a thousand if there is a reason for it."""
    return 1e-3 if _why(header) else 0.0
