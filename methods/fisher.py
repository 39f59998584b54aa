"""Fisher's criterion: the squared gradient of each image alone. Letters: N images, K classes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.methods.derivatives import leaves, losses
from bench.methods.types import Batches, Loss, Scores

CHUNK_BYTES = 2**28  # of the gradients of images that are taken together

SquaresOf = Callable[[nn.Module, Tensor, Tensor, Loss], Scores]


def fisher(
    model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState, *, expectation: bool = False
) -> Scores:
    """Fisher information's diagonal, empirical: (1/N) Σ (∂L(f(x_i), y_i)/∂w)² (Sung et al. 2021, arXiv:2111.09839).

    The gradient of every image alone, in evaluation mode: BatchNorm normalises by its running statistics whatever the
    mode of the model is, since those of a single image mean nothing.

    Departs from the paper: nothing known of the scores; which layers count is the method's matter.
    Args:    expectation: over the labels that the model expects instead of the given ones,
             (1/N) Σ_i Σ_y p(y|x_i) · (∂ log p(y|x_i)/∂w)², K gradients for each image; `loss` is not used then.
    Returns: name -> score of the weight's shape and dtype.
    """
    total = sum(len(y) for _, y in batches)
    if total == 0:
        raise ValueError("criterion sample of 0 images: must be at least 1")
    scored = copy.deepcopy(model).eval()
    loss = _rooted if expectation else loss
    squares_of = _together if _can_be_batched(scored, batches, loss) else _one_by_one
    scores = {name: torch.zeros_like(w.detach()) for name, w in leaves(scored).items()}
    for x, labels in batches:
        for y in _every_class(scored, x) if expectation else [labels]:
            for name, squares in _squares(squares_of, scored, x, y, loss).items():
                scores[name] += squares / total
    return scores


def _every_class(model: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """Each class in turn as the label of all images."""
    with torch.no_grad():
        classes = model(x[:1]).shape[1] if len(x) else 0
    for label in range(classes):
        yield torch.full((len(x),), label, device=x.device)


def _rooted(logits: Tensor, labels: Tensor) -> Tensor:
    """√p · log p of the labels' class, √p a constant: its squared derivative is p · (d log p)²."""
    log_p = torch.log_softmax(logits, 1).gather(1, labels[:, None]).sum()
    return (log_p.detach() / 2).exp() * log_p


def _can_be_batched(model: nn.Module, batches: Batches, loss: Loss) -> bool:
    """Whether the network can be computed for images at once: not if it draws numbers, or looks at its values.

    Found out on one image, so that it does not depend on how much memory is free.
    """
    x, y = next((x[:1], y[:1]) for x, y in batches if len(y))
    try:
        _together(model, x, y, loss)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # of vmap, which has no class for it
        return False
    return True


def _squares(squares_of: SquaresOf, model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Scores:
    """Σ over images of the squared derivative of the image's own loss, in chunks of bounded memory."""
    weights = leaves(model)
    of_image = sum(w.numel() * w.element_size() for w in weights.values())
    size = max(1, CHUNK_BYTES // of_image)
    squares = {name: torch.zeros_like(w.detach()) for name, w in weights.items()}
    for start in range(0, len(y), size):
        chunk = (x[start : start + size], y[start : start + size])
        for name, square in squares_of(model, *chunk, loss).items():
            squares[name] += square
    return squares


def _together(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Scores:
    """Of a chunk at once."""
    weights = {name: w.detach() for name, w in leaves(model).items()}
    others = {name: p.detach() for name, p in model.named_parameters() if name not in weights}
    others |= {name: b.detach().clone() for name, b in model.named_buffers()}

    def of_image(weights: Scores, image: Tensor, label: Tensor) -> Tensor:
        return loss(functional_call(model, {**others, **weights}, (image[None],)), label[None])

    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.simplefilter("ignore", UserWarning)  # that an operation is batched slowly
        gradients = vmap(grad(of_image), in_dims=(None, 0, 0))(weights, x, y)
    return {name: g.square().sum(0) for name, g in gradients.items()}


def _one_by_one(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Scores:
    """Of a chunk in a loop over its images."""
    weights = leaves(model)
    squares = {name: torch.zeros_like(w.detach()) for name, w in weights.items()}
    for image, label in zip(x, y, strict=True):
        for _, image_loss in losses(model, weights, [(image[None], label[None])], loss):
            gradients = torch.autograd.grad(image_loss, list(weights.values()), materialize_grads=True)
        for name, g in zip(weights, gradients, strict=True):
            squares[name] += g.square()
    return squares
