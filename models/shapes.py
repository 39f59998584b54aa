"""The shape of every parameter of a network, in the order in which the layers run.

It follows from the network itself, run once on torch's meta device, where a tensor has a shape and no values. What is
known of MODELS so is kept in `shapes.json`, which `python -m bench.models` writes: reading it needs no torch. What is
to be known of a network that is not in that file, `bench.models.structure` finds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from bench.models.factory import built
from bench.references import Reference

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]  # parameter name -> shape
Pattern = dict[str, list[int | str]]  # the same with CLASSES for the number of classes

FILE = Path(__file__).with_name("shapes.json")  # the `build` of a row -> Pattern
CLASSES = "classes"
TRIED = (10, 1_009, 1_013)  # numbers of classes; the last two are the size of nothing else


def stored_shapes(build: Reference, classes: int) -> Shapes | None:
    """The shapes that are kept of the network that `build` gives for that number of classes; None if none are."""
    pattern = _stored().get(build) if isinstance(build, str) else None
    return None if pattern is None else _filled(pattern, classes)


def built_shapes(build: Reference, image_shape: Shape, classes: int) -> Shapes:
    """The shapes, from the network built and applied to one image on the meta device.

    A parameter of no layer that ran stands behind the others; one that two layers share has its first name.
    """
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = built(build, classes, image_shape)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    ran: list[torch.nn.Module] = []
    for module in model.modules():
        module.register_forward_pre_hook(lambda module, _: ran.append(module))
    with torch.no_grad():
        model.eval()(torch.empty(1, *image_shape, device="meta"))
    owners = (*ran, *model.modules())
    return {names[id(p)]: tuple(p.shape) for module in owners for p in module.parameters(recurse=False)}


def write_shapes(rows: Mapping[str, Shape], file: Path = FILE) -> None:
    """Write the file anew: a line for each network, but for one whose shapes no Pattern can say.

    Args: rows: `build` -> image shape.
    """
    patterns = {build: _pattern(build, image_shape) for build, image_shape in rows.items()}
    lines = [
        f"{json.dumps(build)}: {json.dumps(pattern, separators=(',', ':'))}"
        for build, pattern in patterns.items()
        if pattern is not None
    ]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _pattern(build: str, image_shape: Shape) -> Pattern | None:
    """What gives the shapes for each number of classes TRIED; None if nothing does."""
    tried = [built_shapes(build, image_shape, classes) for classes in TRIED]
    *_, low, high = tried
    if list(low) != list(high):
        return None
    pattern: Pattern = {name: _marked(low[name], high[name]) for name in low}
    exact = all(_filled(pattern, classes) == shapes for classes, shapes in zip(TRIED, tried, strict=True))
    return pattern if exact else None


def _marked(low: Sequence[int], high: Sequence[int]) -> list[int | str]:
    return [CLASSES if sizes == TRIED[1:] else sizes[0] for sizes in zip(low, high, strict=False)]


def _filled(pattern: Pattern, classes: int) -> Shapes:
    return {
        name: tuple(classes if isinstance(size, str) else size for size in sizes) for name, sizes in pattern.items()
    }


@cache
def _stored() -> dict[str, Pattern]:
    """What the file holds; nothing if there is none."""
    stored: dict[str, Pattern] = json.loads(FILE.read_text()) if FILE.is_file() else {}
    return stored
