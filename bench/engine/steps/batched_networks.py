"""P networks of one architecture as one: every parameter and buffer stacked, [P, ...], computed by `torch.func.vmap`.

Each network keeps its own BatchNorm statistics. K classes; B images of a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy, linear

from bench import models
from bench.engine.setup.precision import DTYPES
from bench.engine.setup.prepare import PROBE
from bench.engine.steps.convolution import Convolution, patches_of, precision_of
from bench.engine.steps.csr_pattern import output_size, padding
from bench.models.structure.stand_ins import replaceable, twin
from bench.trial.pack_kind import Pack
from bench.trial.spec import TrialSpec

# The devices on which autograd derives the gradients of unfolded convolutions. On a CPU the written-out ones would gain
# nothing, and move the numbers of trials that are stored.
BY_AUTOGRAD = {"cpu"}


class BatchedNetworks:
    """Networks that compute as one. `module` holds the stacked parameters and buffers, and cannot be called.

    Args: convolutions: how a plain convolution is computed. "vmap": as torch batches it, one grouped convolution of P
          groups. "unfold": its patches times its weights, one batched matrix product.
    """

    def __init__(self, networks: Sequence[nn.Module], convolutions: Pack) -> None:
        self.module = stacked(networks)
        # Nothing computes with its own parameters; they say which weights are shared.
        self.skeleton = copy.deepcopy(unfolded(networks[0]) if convolutions == "unfold" else networks[0])
        _out_of_place(self.skeleton)

    def __call__(self, x: Tensor, *, training: bool) -> Tensor:
        """[P, B, K] of images [P, B, C, H, W], or of the same images [B, C, H, W] for every network.

        In training, BatchNorm uses the statistics of the batch and updates its own.
        """
        return self.logits_of(dict(self.module.named_parameters()), dict(self.module.named_buffers()), x, training)

    def logits_of(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
        """The same, with these parameters and buffers instead of the module's."""
        self.skeleton.train(training)

        def logits_of_one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
            logits: Tensor = functional_call(self.skeleton, {**parameters, **buffers}, (x,))
            return logits

        in_dims = (0, 0, 0 if x.ndim == 5 else None)
        out: Tensor = vmap(logits_of_one, in_dims, randomness="different")(parameters, buffers, x)
        return out

    @torch.no_grad()
    def write_back(self, networks: Sequence[nn.Module]) -> None:
        """Copy the state of each network into one of `networks`."""
        states = [network.state_dict() for network in networks]
        for name, values in self.module.state_dict().items():
            for state, value in zip(states, values, strict=True):
                state[name].copy_(value)


def losses_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross-entropy of each network [P], from logits [P, B, K] and labels [P, B]."""
    each = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(1)


def trial_bytes(spec: TrialSpec, image_shape: tuple[int, ...], classes: int) -> int:
    """Bytes that one trial adds to a pack: what a forward pass on a batch, or on the probe, saves for its backward
    pass, doubled for the latter's own, and eight copies of the parameters (weights, gradients, masks, indices, state).

    Counted on the meta device, where nothing is computed and no activation has memory.
    """
    model = models.build(spec.model, classes, image_shape).to("meta", DTYPES[spec.precision])
    images = max(spec.batch_size, PROBE)
    x = torch.zeros(1, images, *image_shape, dtype=DTYPES[spec.precision], device="meta")
    labels = torch.zeros(1, images, dtype=torch.int64, device="meta")
    saved_bytes: dict[int, int] = {}  # by storage

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved_bytes[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        losses = losses_of(BatchedNetworks([model], spec.pack)(x, training=True), labels)
    assert losses.requires_grad  # the saved tensors live until here, so none counts for two of them
    return 2 * sum(saved_bytes.values()) + 8 * sum(p.nbytes for p in model.parameters())


@torch.no_grad()
def stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """A copy of the first network with the parameters and buffers of all, [P, ...] each."""
    memo: dict[int, object] = {}
    for first, *others in zip(*(n.parameters() for n in networks), strict=True):
        memo[id(first)] = nn.Parameter(torch.stack([first, *others]), requires_grad=first.requires_grad)
    for first, *others in zip(*(n.buffers() for n in networks), strict=True):
        memo[id(first)] = torch.stack([first, *others])
    return copy.deepcopy(networks[0], memo)


def _out_of_place(model: nn.Module) -> None:
    """Have the ReLUs of torchvision's residual networks leave their inputs as they are, which nothing reads again.

    In place saves nothing in a batched step: vmap computes the ReLU as ever, and then copies it over its input.
    """
    for module in model.modules():
        if type(module).__module__ == "torchvision.models.resnet" and isinstance(module.relu, nn.ReLU):
            module.relu.inplace = False


def unfolded(model: nn.Module) -> nn.Module:
    """The model with its plain convolutions computed as matrix products; all parameters are shared with it.

    A depthwise or dilated convolution stays as it is.
    """
    plain = {
        layer for layer in replaceable(model).values() if isinstance(layer, nn.Conv2d) and layer.dilation == (1, 1)
    }
    return twin(model, {id(conv): UnfoldedConv(conv) for conv in plain})


class UnfoldedConv(nn.Module):
    """A convolution as one matrix product: every patch of every image [B · H · W, C · h · w] times the weights."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias, self._conv = conv.weight, conv.bias, [conv]  # in a list: not a submodule

    def forward(self, x: Tensor) -> Tensor:
        """[B, O, H, W] of x [B, C, *, *]."""
        (conv,) = self._conv
        height, width = output_size(conv, x.shape[1:])
        geometry = (conv.stride, padding(conv))
        if x.device.type in BY_AUTOGRAD:
            values = self.weight[0].numel()  # of a patch; without an image nothing else says how many
            rows = patches_of(x, conv.kernel_size, *geometry).reshape(len(x) * height * width, values)
            out = linear(rows, self.weight.flatten(1), self.bias)
        else:
            out, _ = Convolution.apply(x, self.weight, self.bias, *geometry, precision_of(x))
        return out.view(len(x), height, width, len(self.weight)).permute(0, 3, 1, 2)
