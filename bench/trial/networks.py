"""The networks of libraries, which a trial can name too; and what is found of a network from outside. No torch.

What code from outside changes of the process while it is inspected is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, TypeVar

from bench.messages import nearest, say
from bench.models import MODELS, ModelRow
from bench.models.libraries import LIBRARIES, is_of_library, library_row
from bench.references import Reference
from bench.trial.loading import errors_of_fields
from bench.trial.outside.rows import Outside, instead, outside_row, take
from bench.user_code.guard import kept, load_methods, seed_globals

if TYPE_CHECKING:
    from torch import nn

    from bench.models.structure.structure import Structure

T = TypeVar("T")
Shape = tuple[int, ...]


def row_of(model: str, classes: int, image_shape: Shape) -> ModelRow:
    """The row of MODELS; a network of a library gets one, told apart by what it is made of for such images.

    Raises: ValueError if the name is unknown, or if the library's network is not right for such images.
    """
    if is_of_library(model):
        known = MODELS.get(model)
        if known is None or (image_shape, classes) not in known.found:
            row = library_row(model)
            source = apart(model, partial(_fingerprint, row, classes, image_shape))
            row = replace(row, fingerprint=source)
            take([Outside(table="MODELS", name=model, row=row, origin=model.partition(":")[0], source=source)])
    if model not in MODELS:
        raise ValueError(nearest("model", model, [*MODELS, *(f"{library}:NAME" for library in LIBRARIES)]))
    return MODELS[model]


def built_by(model: str, build: Reference) -> AbstractContextManager[None]:
    """Within it, this is what builds the network that MODELS has under that name.

    Raises: ValueError in one line if its source cannot be told.
    """
    with errors_of_fields(f"model {model!r}"):
        return instead(outside_row("MODELS", model, build, ""))


def _fingerprint(row: ModelRow, classes: int, image_shape: Shape) -> str:
    from bench.models.structure.construction import seeded
    from bench.models.structure.fingerprint import fingerprint

    with seeded(0):
        return fingerprint(row.network(classes, image_shape))


def network_of(model: str, classes: int, image_shape: Shape | None) -> nn.Module:
    """A new network of MODELS; what its code changes of the process is put back."""
    from bench.models import build

    load_methods()
    with kept([]):
        return build(model, classes, image_shape)


def structure_of(model: str, classes: int, image_shape: Shape | None) -> Structure | None:
    """What is found of a network from outside; None of one of ours, whose shapes are kept.

    Raises: ValueError, in one line that names model and layer, if it is refused.
    """
    row = MODELS[model]
    return None if row.is_known else apart(model, partial(row.structure, classes, image_shape))


def head_and_weights(model: str, classes: int, image_shape: Shape | None) -> tuple[int, int]:
    """The number of weights of the last Linear layer, and of all maskable weights.

    Raises: ValueError if there is no Linear layer, or if another one gives the classes.
    """
    row = MODELS[model]
    weights = row.maskable(classes, image_shape)
    if row.is_known:  # of ours the last Linear layer runs last
        return prod([shape for shape in row.layers(classes, image_shape).values() if len(shape) == 2][-1]), weights
    check_head(model, classes, image_shape)
    return prod(row.shapes(classes, image_shape)[row.structure(classes, image_shape).head]), weights


def check_head(model: str, classes: int, image_shape: Shape | None) -> None:
    """Raise ValueError if the last Linear layer of a network from outside is not the one that gives the classes: to
    train it alone or whole, or to draw it again, would be to do so with a hidden layer.
    """
    structure = structure_of(model, classes, image_shape)
    if structure is None:
        return
    from bench.methods.maskable import head_of

    last, _ = head_of(network_of(model, classes, image_shape))
    if structure.head != f"{last}.weight":
        gives = structure.head.removesuffix(".weight")
        given = f"the layer {gives!r} gives them" if gives else "no layer gives them by itself"
        raise ValueError(
            f"model {model!r}: its last Linear layer, {last!r}, does not give the {classes} classes, {given}; the head "
            "must be the Linear layer that is defined last"
        )


def no_pack(model: str, classes: int, image_shape: Shape | None) -> str:
    """Why trials of that network cannot share a batched step; "" if they can."""
    structure = structure_of(model, classes, image_shape)
    if structure is None:
        return ""
    from bench.models.structure import structure as structures

    row = MODELS[model]
    shape = image_shape or row.image_shape
    assert shape is not None  # it has a structure
    return apart(model, partial(structures.no_pack, structure, row.build, shape, classes))


def apart(model: str, work: Callable[[], T]) -> T:
    """What `work` on the network returns; whatever its code raises is a ValueError of one line."""
    load_methods()
    changed: list[str] = []
    with errors_of_fields(f"model {model!r}"), kept(changed):
        seed_globals(0)
        result = work()
    if changed:
        say(f"warning: model {model!r} changes {', '.join(changed)}; put back")
    return result
