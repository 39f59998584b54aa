"""A network without its closed channels as files of other programs: a state dict with its widths, and ONNX."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench import models
from bench.artefact.artefact import Artefact
from bench.artefact.small_widths import SUFFIXES, WIDTHS, Widths, open_by, read_widths
from bench.artefact.weights_file import tensors_in
from bench.channels.selection import Selection
from bench.engine.setup.precision import DTYPES
from bench.messages import nearest, one_line
from bench.methods.maskable import maskable
from bench.models.channels.finding import channels_of
from bench.models.channels.proof import NotTheSame, check_counts, difference_of
from bench.models.channels.surgery import read_channels, shrunk
from bench.trial.networks import row_of

CLOSE = 1e-4  # the most that float32 logits may differ, as a fraction of the largest: sums are in another order
IMAGES = 8
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class SmallNetwork:
    """A network without its closed channels, beside the one that has them."""

    masked: nn.Module
    model: nn.Module
    selection: Selection
    widths: Widths


def small_network(artefact: Artefact) -> SmallNetwork:
    """The network of a file without the channels that nothing reads.

    Raises: ValueError, in one line, if every channel is read, or if the smaller network would be another one.
    """
    header, masked = artefact.header, artefact.model
    shape = tuple(header.image_shape)
    selection = artefact.selection or _read(masked, shape)
    closed = sum(selection.channels.widths.values()) - sum(selection.widths.values())
    if not closed:
        raise ValueError("every channel is read by some layer: must be a network with closed channels")
    widths = Widths(
        model=header.spec.model,
        classes=header.classes,
        image_shape=list(shape),
        precision=header.spec.precision,
        stream=selection.channels.kind == "stream",
        widths=selection.widths,
        parameters=selection.counts.parameters,
        macs=selection.counts.macs,
    )
    model = shrunk(masked, selection.channels, selection.open)
    _check_same(masked, model, selection, shape)
    return SmallNetwork(masked=masked, model=model, selection=selection, widths=widths)


def _check_same(masked: nn.Module, model: nn.Module, selection: Selection, shape: tuple[int, ...]) -> None:
    one, other = (copy.deepcopy(network).double().eval() for network in (masked, model))
    try:
        check_counts(other, shape, selection.counts)
        difference_of(one, other, _images(shape).double())
    except NotTheSame as error:
        raise ValueError(str(error)) from None


def _images(shape: Sequence[int]) -> Tensor:
    """Images of noise."""
    return torch.from_numpy(np.random.RandomState(0).standard_normal((IMAGES, *shape))).float()


def _read(model: nn.Module, shape: tuple[int, ...]) -> Selection:
    """The channels that some layer reads, of a network pruned by weights; of a group that nothing reads, the first."""
    channels = channels_of(model, shape, stream=True)
    flags = read_channels({name: w.detach() for name, w in maskable(model).items()}, channels)
    return Selection(channels=channels, open={n: f if any(f) else [True, *f[1:]] for n, f in flags.items()})


def load_small(state: str | Path, widths: str | Path | None = None) -> nn.Module:
    """The network whose state `bench export --shrink` wrote, on the CPU, in evaluation mode.

    Args:   widths: the JSON file beside it; by default of the same name, but .widths.json.
    Raises: OSError if a file cannot be read; ValueError, in one line, if the two are not of one network that is known.
    """
    file = Path(state)
    path = Path(widths) if widths else file.with_suffix(WIDTHS)
    try:
        model = _narrow(read_widths(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    try:
        model.load_state_dict(tensors_in(file.read_bytes()))
    except RuntimeError as error:
        raise ValueError(f"{state}: {one_line(error)}") from None
    except ValueError as error:
        raise ValueError(f"{state}: {error}") from None
    return model


def _narrow(record: Widths) -> nn.Module:
    """A network with these widths."""
    shape = tuple(record.image_shape)
    row = row_of(record.model, record.classes, shape)
    if record.precision not in DTYPES:
        raise ValueError(nearest("precision", record.precision, list(DTYPES)))
    if not row.takes(shape):
        raise ValueError(f"images {record.image_shape}: {record.model} takes others")
    model = models.build(record.model, record.classes, shape).to(DTYPES[record.precision]).eval()
    channels = channels_of(model, shape, stream=record.stream)
    return shrunk(model, channels, open_by(record, channels))


def _safetensors(network: SmallNetwork) -> bytes:
    from safetensors.torch import save

    state = {  # a tensor that two layers share is written for each
        name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in network.model.state_dict().items()
    }
    return save(state, metadata={"widths": network.widths.model_dump_json()})


def _torch_file(network: SmallNetwork) -> bytes:
    buffer = io.BytesIO()
    torch.save(network.model.state_dict(), buffer)
    return buffer.getvalue()


def _onnx(network: SmallNetwork) -> bytes:
    """By torch's exporter, for any number of images; its logits are checked in onnxruntime."""
    if missing := [package for package in ONNX_PACKAGES if find_spec(package) is None]:
        raise ValueError(f"an .onnx file: {missing[0]} must be installed; pip install 'freeze-or-prune[onnx]'")
    x = _images(network.widths.image_shape)
    model = network.model.float().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        shapes = ({0: torch.export.Dim("images", min=1)},)
        program = torch.onnx.export(
            model, (x,), dynamo=True, dynamic_shapes=shapes, input_names=["images"], output_names=["logits"],
            verbose=False,
        )  # fmt: skip
    assert program is not None
    data: bytes = program.model_proto.SerializeToString()
    _check_onnx(data, network.masked, x)
    return data


@torch.no_grad()
def _check_onnx(file: bytes, masked: nn.Module, x: Tensor) -> None:
    """Raise ValueError if onnxruntime has other logits, or other classes, than the network with closed channels."""
    from onnxruntime import InferenceSession

    session = InferenceSession(file, providers=["CPUExecutionProvider"])
    for images in (x, x[:1]):
        expected = masked.float().eval()(images)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        difference = float((torch.from_numpy(logits) - expected).abs().max() / expected.abs().max())
        if not difference <= CLOSE:
            raise ValueError(f"logits in onnxruntime differ by {difference:.1e} of the largest: at most {CLOSE} may be")


WRITERS: Mapping[str, Callable[[SmallNetwork], bytes]] = dict(
    zip(SUFFIXES, (_safetensors, _torch_file, _onnx), strict=True)
)
