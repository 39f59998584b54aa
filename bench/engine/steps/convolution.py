"""A plain convolution as a product of its patches, with its gradients written out for many networks at once.

B images of a batch, C input channels, O output channels, L places of the output, K = C · h · w values of a patch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import fold, linear, pad

ROWS = 2048  # patches that one product of the weight gradient adds up, one after the other; see `chunks_of`
Pair = tuple[int, ...]  # two numbers: of rows and of columns


def chunks_of(images: int, places: int) -> int:
    """How many products the weight gradient is of a layer with so many images and places of the output.

    One product over all B · L patches is one sum after the other for each weight: with few weights, as of a first
    layer (20 × 25 from 57,600 patches), it occupies a few units of a card and leaves the others idle. So the images
    are cut into equal chunks of at most ROWS patches each if that can be. This follows from the shapes alone, never
    from the card or the number of networks, so that no trial's numbers depend on who trains with it. The partial sums
    are O/ROWS of the patches in size, or twice that.

    >>> [chunks_of(*shape) for shape in [(100, 24 * 24), (100, 8 * 8), (128, 32 * 32), (53, 8 * 8), (40, 16)]]
    [50, 4, 64, 53, 1]
    """
    wanted = min(images, -(-images * places // ROWS))
    return next(chunks for chunks in range(wanted, images + 1) if images % chunks == 0)


def patches_of(x: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """The patches of images x [B, C, *, *]: [B, H, W, C, h, w], not copied but for the padding."""
    (y, z), (high, wide), (down, right) = padding, kernel, stride
    x = pad(x, (z, z, y, y)) if y or z else x
    return x.unfold(2, high, down).unfold(3, wide, right).permute(0, 2, 3, 1, 4, 5)


def precision_of(x: Tensor) -> torch.dtype:
    """What a product with x is computed in: x's own precision, or autocast's."""
    device = x.device.type
    lower = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if lower else x.dtype


class Convolution(Function):
    """The outputs [B·H·W, O] of images x [B, C, *, *] by weight [O, C, h, w] and bias [O] or None, and the patches.

    In a lower precision than the images', these are cast before their patches are made, which are copies of them and
    zeros: the same numbers as of patches that are cast, and half the bytes. In the backward pass the gradients of the
    patches are added up in the precision of the images, as autograd adds them up behind its own cast.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """The outputs, and for the backward pass the patches [B, H, W, C, h, w]; both of this dtype."""
        patches = patches_of(x.to(dtype), weight.shape[2:], stride, padding).contiguous()
        rows = patches.view(-1, weight[0].numel())
        out = linear(rows, weight.flatten(1).to(dtype), None if bias is None else bias.to(dtype))
        return out, patches

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the patches and the weights."""
        x, weight, bias, *geometry, _ = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # of the patches, zeros of their size
        ctx.save_for_backward(output[1], weight)
        ctx.geometry, ctx.image, ctx.dtypes = geometry, x.shape[2:], (x.dtype, None if bias is None else bias.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        """The gradients of the images, the weights and the bias, from that of the outputs [B·H·W, O]."""
        if g is None:
            return (None,) * 6
        patches, weight = ctx.saved_tensors
        of_image, of_bias = ctx.dtypes
        g = g.view(len(patches), patches.shape[1] * patches.shape[2], g.shape[1])
        (stride, padding), needed = ctx.geometry, ctx.needs_input_grad[0]
        dx = input_gradient(g, weight, ctx.image, stride, padding, of_image) if needed else None
        db = None if of_bias is None else g.sum((0, 1), dtype=of_bias)
        return dx, weight_gradient(g, patches, weight), db, None, None, None


def weight_gradient(g: Tensor, patches: Tensor, weight: Tensor) -> Tensor:
    """Σ g · patch over all patches, of g [B, L, O]: of each chunk of images by itself, then the sum of the chunks."""
    chunks = chunks_of(*g.shape[:2])
    of_chunks = g.reshape(chunks, -1, g.shape[2]).mT @ patches.view(chunks, -1, weight[0].numel())
    return of_chunks.sum(0, dtype=weight.dtype).view(weight.shape)


def input_gradient(g: Tensor, weight: Tensor, image: Pair, stride: Pair, padding: Pair, dtype: torch.dtype) -> Tensor:
    """The gradients of the patches, added up at the values that they have of the images [*, *]: a product, and a fold.

    The fold wants the places last. So either the weights are laid out for each image, or the product is laid out
    anew: whichever is smaller.
    """
    flat = weight.flatten(1).to(g.dtype)  # [O, K]
    columns = flat.mT @ g.mT if len(flat) <= g.shape[1] else (g @ flat).mT  # [B, K, L]
    folded: Tensor = fold(columns.to(dtype), image, weight.shape[2:], 1, padding, stride)
    return folded
