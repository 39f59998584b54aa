"""The commands on stored networks: export, verify, narrow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from tabulate import tabulate

from bench import names
from bench.artefact.artefact import Artefact, open_artefact, read
from bench.artefact.container import Header, sizes, unseal
from bench.artefact.narrow import accuracy_of, data_of, images_of, narrowed
from bench.canonical import key_of
from bench.cli.commands import existing_store
from bench.cli.requests.networks import NARROWER, ExportRequest, NarrowRequest, VerifyRequest
from bench.datasets.loader import Resident
from bench.disk import write_whole
from bench.engine.setup.checksums import IMAGES, logits_checksum
from bench.messages import say, usage_errors
from bench.models import MODELS
from bench.storage.mlflow_store import Store
from bench.storage.store_uri import check_folder

NATIVE = {"float32": "float32", "bfloat16": "float32", "float64": "float64"}  # precision -> type of the weights
SHORTEST = 4  # characters of a run or run key that name a trial


def export(request: ExportRequest) -> int:
    """Write the stored network of a trial to a file."""
    file = request.output.expanduser().resolve()
    with usage_errors():
        if request.data_root is not None and not request.value_dtype:
            raise ValueError("--data-root without --value-dtype: allowed is with it, to measure the accuracy")
        check_folder(f"output {request.output}", file.parent)
        if not file.parent.is_dir():
            raise ValueError(f"output {request.output}: no such folder")
        if file.exists() and not file.is_file():
            raise ValueError(f"output {request.output}: allowed is a file")
        store = Store(existing_store())
        data = _network(store, _run(store, request.run))
        if request.value_dtype:
            found = read(data)
            data = narrowed(found, request.value_dtype, images_of(found, data_of(found, request.data_root)))
            _say_cost(found, read(data))
    write_whole(file, data)
    say(f"{request.output}: {len(data):,} bytes; `python -m bench verify {request.output}` rebuilds and checks it")
    return 0


def _say_cost(before: Artefact, after: Artefact) -> None:
    trained, left = (_percent(found.header.test_accuracy) for found in (before, after))
    say(f"test accuracy {trained} as trained, {left} with {after.header.value_type} values")


def _run(store: Store, text: str) -> str:
    """The run of the finished trial whose run, or run key, begins with that text."""
    trials = store.tagged(names.RUN_KEY, "FINISHED")
    fits = {run for run, key in trials if len(text) >= SHORTEST and (run.startswith(text) or key.startswith(text))}
    if len(fits) != 1:
        found = f"begins {len(fits)} of" if fits else "is none of"
        raise ValueError(
            f"run {text!r}: {found} the {len(trials)} finished trials; allowed is the beginning of a run or a run key, "
            f"at least {SHORTEST} characters, as `python -m bench list trials` shows them"
        )
    return fits.pop()


def _network(store: Store, run: str) -> bytes:
    try:
        data = store.read(run, names.NETWORK_FILE)
    except FileNotFoundError:
        raise ValueError(f"run {run}: no stored network; it diverged, or an older version trained it") from None
    header, tags = unseal(data)[0], store.tags(run)
    found = key_of(header.spec.model_dump()), header.sha256.weights
    if found != (tags.get(names.RUN_KEY), tags.get(names.WEIGHTS_SHA256)):
        raise ValueError(f"run {run}: its stored network is another trial's")
    return data


def verify(request: VerifyRequest) -> int:
    """Rebuild a stored network and compare it with what was recorded; 1 where it differs."""
    file = request.file
    try:
        found = open_artefact(file)
    except ValueError as error:
        say(f"error: {error}")
        return 1
    header = found.header
    same = logits_checksum(found.model, header.spec.seed, tuple(header.image_shape)) == header.sha256.logits
    try:
        now = accuracy_of(found, images_of(found, data_of(found, request.data_root)))
    except ValueError as error:
        now, lacking = None, str(error)
    rows = [*_facts(found, file.read_bytes()), ("logits", _logits(same, header.image_shape))]
    rows.append(("test accuracy", f"recorded {_percent(header.test_accuracy)}, now {_percent(now)}"))
    click.echo(tabulate(rows, tablefmt="plain", disable_numparse=True))
    if now is None:
        say(f"error: the accuracy was not measured: {lacking}")
    elif now != header.test_accuracy:
        say(f"warning: another accuracy{_why(header)}")
    return 0 if same and now is not None and abs(now - header.test_accuracy) <= _slack(header) else 1


def _facts(found: Artefact, data: bytes) -> Iterator[tuple[str, str]]:
    header, parts, spec = found.header, sizes(data), found.header.spec
    record, extra = spec.model_dump(), spec.model_extra or {}
    whole = sum(p.nbytes for p in found.model.parameters())
    everything = MODELS[spec.model].parameters(header.classes)
    stored = everything - sum(int((~mask).sum()) for mask in found.masks.values())
    yield "trial", f"{extra.get('dataset')} · {spec.model} · rate {extra.get('rate')} · seed {spec.seed}"
    yield "method", f"{spec.method.background}, criterion {(spec.method.model_extra or {}).get('criterion')}"
    yield "run key", key_of(record)
    yield "stored bytes", f"{len(data):,}: {', '.join(f'{part} {size:,}' for part, size in parts.items())}"
    yield "compression", f"×{whole / len(data):.1f} in bytes, ×{everything / stored:.1f} in parameters"
    yield "values", f"{sum(header.live):,} live weights as {header.value_type}, {stored - sum(header.live):,} others"
    yield "initial weights", _initial(found)
    yield "weights", f"equal bit for bit, SHA-256 {header.sha256.weights[:16]}…"


def _initial(found: Artefact) -> str:
    if found.header.spec.method.background == "prune" or all(mask.all() for mask in found.masks.values()):
        return "not needed"
    return f"reproduced from the seed bit for bit, SHA-256 {found.header.sha256.init[:16]}…"


def _logits(same: bool, shape: list[int]) -> str:
    batch = f"{IMAGES} images {'×'.join(map(str, shape))}, float64 rounded to float32"
    return f"{'equal bit for bit' if same else 'DIFFERENT'} ({batch})"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _why(header: Header) -> str:
    """Why the recorded accuracy may differ by a few images from that of the network alone on this machine's CPU."""
    record = header.spec.model_extra or {}
    if header.value_type != NATIVE.get(header.spec.precision):
        return ""  # it was measured when the values were narrowed, on a CPU
    if record.get("device") == "cuda":
        return ": it was recorded on a GPU"
    return ": it was recorded in a batched step" if record.get("pack", "single") != "single" else ""


def _slack(header: Header) -> float:
    """The difference that is no error: one image in a thousand where there is a reason for it."""
    return 1e-3 if _why(header) else 0.0


def narrow(request: NarrowRequest) -> int:
    """Measure every stored network of the store with narrower values; each once."""
    kinds = [kind.strip() for kind in request.value_dtype.split(",")]
    with usage_errors():
        for kind in kinds:
            if kind not in NARROWER:
                raise ValueError(f"value-dtype {kind!r}: allowed are {', '.join(NARROWER)}")
        store = Store(existing_store())
        runs = _lacking(store, kinds, request.name)
    images: dict[tuple[str, ...], Resident] = {}
    bad = 0
    with click.progressbar(runs, file=sys.stderr, label="networks") as progress:
        for run, left in progress:
            try:
                store.measured(run, _measured(_network(store, run), left, images, request.data_root))
            except ValueError as error:
                bad += 1
                say(f"error: run {run}: {error}")
    say(f"{len(runs) - bad} networks measured with narrower values; `python -m bench plot storage` shows them")
    return 1 if bad else 0


def _measured(
    data: bytes, kinds: list[str], images: dict[tuple[str, ...], Resident], root: Path | None
) -> dict[str, float]:
    """The figures of a network with values of each kind; `images` keeps the test sets for the next one."""
    found = read(data)
    spec, extra = found.header.spec, found.header.spec.model_extra or {}
    key = (spec.model, spec.precision, str(extra.get("dataset")), str(extra.get("data_hash")))
    if key not in images:
        images[key] = images_of(found, data_of(found, root))
    figures: dict[str, float] = {}
    for kind in kinds:
        data = narrowed(found, kind, images[key])
        figures |= {f"{names.STORED_BYTES}_{kind}": len(data)}
        figures |= {f"{names.TEST_ACCURACY}_{kind}": read(data).header.test_accuracy}
    return figures


def _lacking(store: Store, kinds: list[str], sweep: str | None) -> list[tuple[str, list[str]]]:
    """The runs with a stored network whose figures with values of some of these types are not there, and of which."""
    wanted = names.IN_SWEEP + sweep if sweep else names.RUN_KEY
    runs = [run for run, _ in store.tagged(wanted, "FINISHED")]
    found = [(run, store.metrics(run)) for run in runs]
    rows = [
        (run, [k for k in kinds if f"{names.STORED_BYTES}_{k}" not in m]) for run, m in found if names.STORED_BYTES in m
    ]
    if not rows:
        raise ValueError(f"name {sweep}: no stored network" if sweep else "no stored network in the store")
    return [(run, left) for run, left in rows if left]
