"""The layers with a weight, and what is refused by the type of its layer."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

WEIGHTED = (_ConvNd, nn.Linear)  # the layers whose weights can be masked


def names_of(model: nn.Module) -> dict[int, str]:
    """The identity of a parameter -> its first name."""
    return {id(parameter): name for name, parameter in model.named_parameters()}


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The weights of Conv and Linear layers by first name, in the model's order; `bench.methods.maskable` as well."""
    names = names_of(model)
    weights = (module.weight for module in model.modules() if isinstance(module, WEIGHTED))
    return {names[id(weight)]: weight for weight in weights}


def title(name: str, module: nn.Module) -> str:
    """The layer in a message."""
    return f"layer {name or 'model'} ({type(module).__name__})"


def check_types(model: nn.Module) -> None:
    """Raise ValueError if a layer or a parameter is of a kind that cannot be trained in part."""
    for name, module in model.named_modules():
        if reason := _refusal(module):
            raise ValueError(f"{title(name, module)}: {reason}")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad or not parameter.is_floating_point():
            raise ValueError(f"parameter {name}: must be of real numbers and require a gradient, or be a buffer")
    if not weights_of(model):
        raise ValueError("no Conv or Linear layer: there must be one at least, whose weights are trained or not")
    _check_storage(model)


def _refusal(module: nn.Module) -> str:
    """Why this layer cannot be trained in part; "" if it can."""
    if any(is_lazy(parameter) for parameter in module.parameters(recurse=False)):
        return "has no shape before it is run; must be given its sizes"
    if is_parametrized(module) or (
        isinstance(module, WEIGHTED) and not isinstance(module._parameters.get("weight"), nn.Parameter)
    ):
        return "its weight is computed from other tensors, as by weight norm; must be a parameter"
    if isinstance(module, _ConvTransposeNd) and module.groups > 1 and module.in_channels != module.out_channels:
        return "transposed with groups; must have as many inputs as outputs, or the weight's shape tells no fan-in"
    if isinstance(module, _NormBase) and not module.track_running_stats and "Batch" in type(module).__name__:
        return "keeps no running statistics, so that logits depend on the batch; must track them"
    return ""


def _check_storage(model: nn.Module) -> None:
    """Raise ValueError if two tensors of the model lie in one memory: a copy of the model would part them."""
    owners: dict[int, tuple[str, int]] = {}
    for name, tensor in tensors_of(model):
        first, identity = owners.setdefault(tensor.untyped_storage()._cdata, (name, id(tensor)))
        if identity != id(tensor):
            raise ValueError(f"{name} shares memory with {first}: must be the same parameter, or a copy")


def tensors_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers, each once."""
    yield from model.named_parameters()
    yield from model.named_buffers()


def changing_buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that training may change: the statistics of normalisation layers, and single numbers."""
    statistics = {id(b) for m in model.modules() if isinstance(m, _NormBase) for b in m.buffers(recurse=False)}
    return {name: b for name, b in model.named_buffers() if id(b) in statistics or b.numel() == 1}
