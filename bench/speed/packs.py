"""`bench speed packs`: which kind of batched step is faster for a network here, and how much memory each moves.

It proposes a line of MEASURED of `bench.trial.pack_kind`. It is committed by hand: no trial depends on a timing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench import models
from bench.datasets.images import ImageData
from bench.engine.setup.memory import release
from bench.engine.setup.precision import DTYPES, settings
from bench.engine.steps.batched_networks import BatchedNetworks, losses_of
from bench.models import MODELS
from bench.speed.contenders import Contender, first_steps, kinds_of, pack_steps
from bench.speed.machine import machine
from bench.speed.rounds import rounds_within, rounds_words
from bench.trial.pack_kind import Pack, resolve_pack
from bench.trial.spec import TrialSpec

FREE = ("aten._unsafe_view.default", "aten.detach.default", "aten._reshape_alias.default")  # they move nothing


@dataclass(frozen=True, kw_only=True)
class PackSpeed:
    """One line of the table."""

    pack: Pack
    trials: int
    milliseconds: float  # median of a step, divided by its trials
    images_per_second: float  # of all trials together
    peak_bytes: float  # of a trial: the most torch held during the first steps, beyond the prepared trials
    moved_bytes: int  # of a trial's step, without the optimizer: `moved_bytes`


def measure(
    spec: TrialSpec, data: ImageData, sizes: Sequence[int], steps: int, rounds: int, minutes: float
) -> dict[str, Any]:
    """Time each kind of batched step of the spec's network in packs of these sizes, the kinds in turn.

    Args:    rounds: turns of each kind at each size, as far as `minutes` go, which the sizes share.
    Returns: the machine, a `PackSpeed` per line, what `auto` takes on CUDA, and what these figures propose, all as JSON
             values.
    """
    rows: list[PackSpeed] = []
    done: list[int] = []
    with settings(spec):
        for size in sizes:
            timed, count = _of_size(spec, data, size, steps, rounds, minutes / len(sizes))
            rows += timed
            done.append(count)
            release(spec.device)
    shapes = MODELS[spec.model].layers(data.classes, data.image_shape)
    return {
        "machine": machine(),
        "load_average": os.getloadavg()[0],
        "dataset": spec.dataset,
        "model": spec.model,
        "batch_size": spec.batch_size,
        "device": spec.device,
        "precision": spec.precision,
        "tf32": spec.tf32,
        "steps": steps,
        "rounds": rounds,
        "rounds_done": done,
        "rows": [asdict(row) for row in rows],
        "auto": resolve_pack("auto", device="cuda", shapes=shapes, model=spec.model),
        "proposed": min((row for row in rows if row.trials == max(sizes)), key=lambda row: row.milliseconds).pack,
    }


def _of_size(
    spec: TrialSpec, data: ImageData, size: int, steps: int, rounds: int, minutes: float
) -> tuple[list[PackSpeed], int]:
    """The lines of packs of one size, and the rounds that there was time for."""
    began = time.monotonic()
    kinds = kinds_of(spec, data)
    contenders = [
        Contender("", kind, spec, 0.0, pack_steps(replace(spec, pack=kind), data, size), trials=size) for kind in kinds
    ]
    for contender in contenders:
        contender.peak_bytes = first_steps(contender)
    seconds: dict[str, list[float]] = {contender.variant: [] for contender in contenders}
    for _ in rounds_within(rounds, minutes, began):
        for contender in contenders:
            seconds[contender.variant].append(contender.run(steps))
    pairs = zip(kinds, contenders, strict=True)
    rows = [_row(c, replace(spec, pack=kind), data, median(seconds[kind])) for kind, c in pairs]
    return rows, len(seconds[contenders[0].variant])


def _row(contender: Contender, spec: TrialSpec, data: ImageData, seconds: float) -> PackSpeed:
    return PackSpeed(
        pack=spec.pack,
        trials=contender.trials,
        milliseconds=1e3 * seconds,
        images_per_second=spec.batch_size / seconds,
        peak_bytes=contender.peak_bytes / contender.trials,
        moved_bytes=moved_bytes(spec, data.image_shape, data.classes),
    )


def moved_bytes(spec: TrialSpec, image_shape: tuple[int, ...], classes: int) -> int:
    """Bytes that the operators of a trial's forward and backward pass on a batch read and write, in its kind of pack.

    Each operator's tensors count once, wherever they lie: of a cache this knows nothing, nor of what a library copies
    within an operator. Counted on the meta device, where nothing is computed.
    """
    size, dtype = 2, DTYPES[spec.precision]  # trials: one alone may take another way
    networks = [models.build(spec.model, classes, image_shape).to("meta", dtype) for _ in range(size)]
    batched = BatchedNetworks(networks, spec.pack)
    x = torch.zeros(size, spec.batch_size, *image_shape, dtype=dtype, device="meta")
    y = torch.zeros(size, spec.batch_size, dtype=torch.int64, device="meta")
    with Moved() as moved:
        torch.autograd.grad(losses_of(batched(x, training=True), y).sum(), list(batched.module.parameters()))
    return moved.bytes // size


class Moved(TorchDispatchMode):
    """Counts the bytes of the tensors that each operator reads and writes; a view moves none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view and str(function) not in FREE:
            self.bytes += sum(_held(tensor) for tensor in _tensors((args, kwargs, result)))
        return result


def _tensors(values: Any) -> Iterator[Tensor]:
    return (value for value in tree_leaves(values) if isinstance(value, Tensor))


def _held(tensor: Tensor) -> int:
    """Of an expanded tensor what is there."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


def as_lines(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Column -> entry of each line of the table."""
    return [
        {
            "pack": r["pack"], "trials": str(r["trials"]), "ms/trial-step": f"{r['milliseconds']:.3f}",
            "images/s": f"{r['images_per_second']:,.0f}", "peak MB/trial": f"{r['peak_bytes'] / 1e6:.1f}",
            "moved MB/trial-step": f"{r['moved_bytes'] / 1e6:,.0f}",
        }
        for r in result["rows"]
    ]  # fmt: skip


def as_table(result: Mapping[str, Any]) -> str:
    """The result in words and a table."""
    from tabulate import tabulate  # which the first contact with a card does without

    about = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    done = rounds_words(min(result["rounds_done"]), result["rounds"])
    heading = (
        f"{result['dataset']} · {result['model']}, batch {result['batch_size']}, {result['precision']},"
        f" {result['device']}; {done} of {result['steps']} steps, the kinds in turn: medians.\n{about}."
    )
    table: str = tabulate(as_lines(result), headers="keys", tablefmt="github", disable_numparse=True)
    return "\n\n".join([heading, table, _proposal(result)])


def _proposal(result: Mapping[str, Any]) -> str:
    """The line for the table, where a card was measured."""
    words = f"auto takes {result['auto']} on cuda; fastest here in the largest pack: {result['proposed']}"
    if result["device"] != "cuda":
        return f"{words}. Proposes nothing: on {result['device']} trials are not in packs by themselves."
    return f'{words}. A line for MEASURED: "{result["model"]}": "{result["proposed"]}",'
