"""PX's score: the squared weights of the paths that the images make active. N images, K classes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.methods.maskable import maskable
from bench.methods.rounds.loop import whole
from bench.methods.rounds.paths import BatchNorm, as_paths, layers_of, recorded, running
from bench.methods.rounds.synflow import ones
from bench.methods.types import Batches, Scores

NUDGE = 1e-9  # a relative change far above rounding, and far below what a score may depend on


@dataclass(frozen=True, kw_only=True)
class Paths:
    """A network and the images that its paths are judged by, in float64."""

    network: nn.Module  # in evaluation mode
    weights: Mapping[str, Tensor]  # of every Linear layer and convolution
    biases: Mapping[str, Tensor]  # zeros: a path begins at a pixel
    kept: str  # the weight that is neither squared nor one; "" if there is none
    images: tuple[Tensor, ...]
    batchnorm: BatchNorm

    @classmethod
    def of(cls, model: nn.Module, batches: Batches, classifier: str, batchnorm: str) -> Paths:
        """Raises: ValueError if there is no image, or the network has what paths do not pass."""
        network = copy.deepcopy(model).double().eval().requires_grad_(False)
        tensors = dict(network.named_parameters())
        layers = layers_of(network, ones(batches, next(iter(tensors.values()))))
        if not (images := tuple(x.double() for x, _ in batches if len(x))):
            raise ValueError("criterion sample of 0 images: must be at least 1")
        paths = cls(
            network=network,
            weights={name: tensors[name] for name in dict.fromkeys((*maskable(network), *layers.weights))},
            biases={name: torch.zeros_like(tensors[name]) for name in layers.biases},
            kept=layers.weights[-1] if classifier == "kept" else "",
            images=images,
            batchnorm="batch" if batchnorm == "batch" else "running",
        )
        if batchnorm == "batch":
            paths.check_rounding()
        return paths

    def check_rounding(self) -> None:
        """Raise ValueError if the scores of a layer are nothing but rounding.

        Of all positions of an identical batch BatchNorm's output has its shift as mean: behind a mean over the map no
        weight in front of it changes z2. What a change of 1e-9 of the weights changes by more than 1e-3 is rounding.
        """
        with running(self.network) as layer:
            self.squared_pass(self.squares({}), layer)
        mask = whole(self.network)
        nudged = {name: s * (1 + NUDGE * _signs(s)) for name, s in self.squares(mask).items()}
        before, after = self.scores(mask), self.scores(mask, nudged)
        for name, score in before.items():
            if float((after[name] - score).abs().sum()) > 1e-3 * float(score.sum()):
                raise ValueError(
                    f"{name}: the batch's BatchNorm leaves no path through it; must be px:batchnorm=running"
                )

    def scores(self, mask: Mapping[str, Tensor], squares: Mapping[str, Tensor] | None = None) -> Scores:
        """|w² · ∂R/∂(w²)|, of the classifier that is kept |w² · ∂R/∂w|, at the masked weights; R = Σ z1 · z2.

        Args: squares: the weights of the second network, if they are not `squares(mask)`.
        """
        values = {name: s.requires_grad_() for name, s in (squares or self.squares(mask)).items()}
        total = (self.active_pass(mask).sum(0) * self.squared_pass(values)[0]).sum()
        slopes = torch.autograd.grad(total, [values[name] for name in mask], materialize_grads=True)
        return {
            name: (slope * self.weights[name].square() * m.detach()).abs()
            for (name, m), slope in zip(mask.items(), slopes, strict=True)
        }

    def squares(self, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of the second network; what no mask is given for is live."""
        squares = {name: w.clone() if name == self.kept else w.square() for name, w in self.weights.items()}
        return {name: s * mask[name].detach() if name in mask else s for name, s in squares.items()}

    @torch.no_grad()
    def active_pass(self, mask: Mapping[str, Tensor]) -> Tensor:
        """z1 [N,K]: of a network of ones for the squared images, with the ReLU patterns of the masked network."""
        masks = {name: mask.get(name, torch.ones_like(w)) for name, w in self.weights.items()}
        masked = {name: w * masks[name] for name, w in self.weights.items()}
        open_paths = {**masks, **self.biases} | ({self.kept: masked[self.kept]} if self.kept else {})
        outputs = []
        for x in self.images:
            patterns = recorded(self.network, masked, x)
            with as_paths(self.batchnorm, squared=False, patterns=patterns):
                outputs.append(functional_call(self.network, open_paths, (x.square(),)))
        return torch.cat(outputs)

    def squared_pass(self, squares: Mapping[str, Tensor], layer: Callable[[], str] | None = None) -> Tensor:
        """z2 [1,K]: of the squared weights for an image of ones, without ReLU; `layer` as of `as_paths`."""
        with as_paths(self.batchnorm, squared=True, layer=layer):
            image = torch.ones_like(self.images[0][:1])
            outputs: Tensor = functional_call(self.network, {**squares, **self.biases}, (image,))
        return outputs


def _signs(x: Tensor) -> Tensor:
    """1 and -1 by turns."""
    return 1 - 2 * (torch.arange(x.numel(), device=x.device) % 2).view(x.shape).to(x.dtype)
