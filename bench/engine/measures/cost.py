"""What a network costs: stored parameters, live weights per layer, multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from bench import names
from bench.engine.measures.moment import Moment
from bench.engine.setup.prepare import Trial
from bench.methods import Method
from bench.methods.fading import fades
from bench.methods.maskable import maskable
from bench.models.channels.surgery import open_entries
from bench.models.structure.weight_use import uses_of
from bench.trial.needs import training_epochs
from bench.trial.spec import TrialSpec


def costs(moment: Moment) -> dict[str, float]:
    """The counts of a trial."""
    trial, model = moment.trial, moment.trial.stored_model
    live = live_entries(model, {**_entries(trial, model), **trial.fixed, **trial.stored_masks})
    counted = counts_of_live(model, live, at_the_end(moment.spec.method), trial.train.image_shape)
    return (counted if moment.spec.method.trains_weights else _untrained(counted)) | _epochs(moment.spec)


def at_the_end(method: Method) -> str:
    """The background that a network of the method costs as it is stored: one that has faded to 0 is pruned."""
    return "prune" if fades(method) and method.fade_to == 0 else method.background


def _untrained(counted: Mapping[str, float]) -> dict[str, float]:
    """The counts of a network whose live weights are those drawn: none of them is stored; without a compression if
    nothing is.
    """
    stored = counted[names.STORED_PARAMETERS] - counted[names.LIVE_WEIGHTS]
    of_total = {names.COMPRESSION: counted[names.TOTAL_PARAMETERS] / stored} if stored else {}
    others = {name: value for name, value in counted.items() if name != names.COMPRESSION}
    return {**others, names.STORED_PARAMETERS: stored, **of_total}


def _epochs(spec: TrialSpec) -> dict[str, float]:
    """Epochs of training in all, of a trial that needs others."""
    return {names.TRAINING_EPOCHS: training_epochs(spec)} if spec.needs() else {}


def _entries(trial: Trial, model: nn.Module) -> Mapping[str, Tensor]:
    """What of the parameters belongs to open channels, of those that have closed ones."""
    selection = trial.selection
    return {} if selection is None else open_entries(model, selection.channels, selection.open)


def counts(
    model: nn.Module, masks: Mapping[str, Tensor], background: str, image_shape: tuple[int, ...]
) -> dict[str, float]:
    """The counts of one trial; see `counts_of_live`."""
    return counts_of_live(model, live_entries(model, masks), background, image_shape)


def live_entries(model: nn.Module, masks: Mapping[str, Tensor]) -> dict[str, int]:
    """Parameter name -> live entries; all of one that has no mask."""
    return {n: int(masks[n].sum()) if n in masks else p.numel() for n, p in model.named_parameters()}


def counts_of_live(
    model: nn.Module, live: Mapping[str, int], background: str, image_shape: tuple[int, ...]
) -> dict[str, float]:
    """The counts of one trial from the live entries of each parameter, names as in `bench.names`.

    Multiply-accumulates per image are those of parameters, counting non-zero weights only. Forward: every weight of a
    frozen network, the live ones of a pruned one. Backward: the weight gradient at the live weights, plus the input
    gradient of every product but those of the image itself, again over all weights of a frozen network and the live
    ones of a pruned one. A parameter that cannot be masked, as a projection of MultiheadAttention, is live throughout.
    """
    weights = maskable(model)
    size = {name: p.numel() for name, p in model.named_parameters()}
    used = live if background == "prune" else size
    uses = {name: use for name, use in uses_of(model, image_shape).items() if use.macs}
    total = sum(size.values())
    stored = sum(live.values())
    maskable_weights, live_weights = (sum(count[name] for name in weights) for count in (size, live))
    return {
        names.TOTAL_PARAMETERS: total,
        names.MASKABLE_WEIGHTS: maskable_weights,
        names.LIVE_WEIGHTS: live_weights,
        names.STORED_PARAMETERS: stored,
        names.COMPRESSION: total / stored,
        names.LAYERS: len(weights),
        names.COLLAPSED_LAYERS: sum(live[name] == 0 for name in weights),
        names.FORWARD_MACS: sum(used[n] * use.macs // size[n] for n, use in uses.items()),
        names.BACKWARD_MACS: sum((live[n] * u.macs + used[n] * u.macs_behind) // size[n] for n, u in uses.items()),
    }
