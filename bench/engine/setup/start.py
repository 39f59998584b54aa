"""The weights of a base as the start of a trial: which are taken, and which stay as they were drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from bench.methods.maskable import head_of
from bench.trial.start import Taking


@dataclass(frozen=True)
class Base:
    """A network that a trial starts from."""

    key: str  # the run key of the trial that trained it, or `sha256` if it is given as a file
    sha256: str  # of its weights: `bench.models.initialise.checksum_of`
    tensors: Mapping[str, Tensor]  # parameters and buffers by name
    may_differ: Collection[str] = ()  # tensors of the trial's network that the base need not fit, such as another stem
    beside: tuple[str, ...] = ()  # how the names begin of tensors that the base may have beside the network's


@dataclass(frozen=True)
class Taken:
    """What a network has of its base, by name."""

    taken: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def words(self) -> str:
        """ "60 tensors taken; drawn: fc.weight, fc.bias"."""
        drawn = f"; drawn: {', '.join(self.drawn)}" if self.drawn else ""
        return f"{len(self.taken)} tensors taken{drawn}"


@torch.no_grad()
def set_start(model: nn.Module, start: Taking, base: Base) -> Taken:
    """Give the model, which is as it was drawn, the base's weights, in place: all that the start takes.

    A head that is not taken stays as the trial's seed drew it. If a base of ours had the same seed and as many classes,
    its training began from that head too: a redrawn one is then not independent of the base.

    Raises: ValueError, naming the tensor, if the base lacks one of them, has it in another shape or a wider type, or
            has one that the network does not have.
    """
    tensors, optional = tensors_of(model), _optional(model)
    drawn = _drawn(model, start) | {name for name in base.may_differ if not _fits(model, base, name)}
    _check_names(model, base)
    taken = [name for name in tensors if name not in drawn and (name in base.tensors or name not in optional)]
    for name in taken:
        tensors[name].copy_(_of_base(base, name, tensors[name]))
    return Taken(tuple(taken), tuple(name for name in tensors if name in drawn))


def _optional(model: nn.Module) -> set[str]:
    """The tensors that a file of weights need not have: those that no state dict has, and BatchNorm's counts of
    batches, which older files lack. BatchNorm reads these only without a momentum; a network has them all the same, so
    that weights with and without them are two starts.
    """
    names = tensors_of(model).keys()
    return (names - model.state_dict().keys()) | {name for name in names if name.endswith("num_batches_tracked")}


def _check_names(model: nn.Module, base: Base) -> None:
    known = tensors_of(model).keys() | model.state_dict().keys()
    for name in base.tensors:
        if name not in known and not name.startswith(base.beside):
            raise ValueError(f"base {base.key[:12]}: has {name!a}; must have no tensor that the network does not have")


def _drawn(model: nn.Module, start: Taking) -> set[str]:
    """The tensors that are not taken."""
    names = {f"{head_of(model)[0]}.{name}" for name in ("weight", "bias")} if start.head == "redrawn" else set()
    names |= norm_tensors(model) if start.norm == "fresh" else set()
    return names & tensors_of(model).keys()


def norm_tensors(model: nn.Module) -> set[str]:
    """The names of BatchNorm's scales, shifts and statistics."""
    norms = {prefix: module for prefix, module in model.named_modules() if isinstance(module, _NormBase)}
    return {f"{prefix}.{name}" for prefix, module in norms.items() for name in tensors_of(module)}


def _of_base(base: Base, name: str, tensor: Tensor) -> Tensor:
    if name not in base.tensors:
        raise ValueError(f"base {base.key[:12]}: has no {name}; must have every tensor of the network but the head")
    if base.tensors[name].shape != tensor.shape:
        shapes = tuple(base.tensors[name].shape), tuple(tensor.shape)
        raise ValueError(f"base {base.key[:12]}: {name} of shape {shapes[0]}; must be of shape {shapes[1]}")
    given = base.tensors[name]
    if torch.promote_types(given.dtype, tensor.dtype) != tensor.dtype or _is_real(given) != _is_real(tensor):
        raise ValueError(f"base {base.key[:12]}: {name} of {given.dtype}; must be of {tensor.dtype} or narrower")
    return given


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point()


def _fits(model: nn.Module, base: Base, name: str) -> bool:
    return name in base.tensors and base.tensors[name].shape == tensors_of(model)[name].shape


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, in the module's order."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
