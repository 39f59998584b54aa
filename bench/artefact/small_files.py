"""A network without its closed channels as files of other programs: a state dict with its widths, and ONNX."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench import models
from bench.artefact.artefact import Artefact
from bench.artefact.weights_file import tensors_in
from bench.channels.selection import Selection, first_open
from bench.engine.setup.precision import DTYPES
from bench.messages import one_line
from bench.methods.maskable import maskable
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import read_channels, shrunk

CLOSE = 1e-4  # the most that float32 logits may differ, as a fraction of the largest: sums are in another order
IMAGES = 8
WIDTHS = ".widths.json"  # ends the name of the file with the widths
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, kw_only=True)
class SmallNetwork:
    """A network without its closed channels, beside the one that has them."""

    masked: nn.Module
    model: nn.Module
    selection: Selection
    widths: Mapping[str, Any]  # as JSON values: what `load_small` needs besides the state


def small_network(artefact: Artefact) -> SmallNetwork:
    """The network of a file without the channels that nothing reads.

    Raises: ValueError, in one line, if every channel is read.
    """
    header, masked = artefact.header, artefact.model
    shape = tuple(header.image_shape)
    selection = artefact.selection or _read(masked, shape)
    closed = sum(selection.channels.widths.values()) - sum(selection.widths.values())
    if not closed:
        raise ValueError("every channel is read by some layer: must be a network with closed channels")
    widths = {
        "model": header.spec.model,
        "classes": header.classes,
        "image_shape": list(shape),
        "precision": header.spec.precision,
        "stream": selection.channels.kind == "stream",
        "widths": selection.widths,
        "parameters": selection.counts.parameters,
        "macs": selection.counts.macs,
    }
    model = shrunk(masked, selection.channels, selection.open)
    return SmallNetwork(masked=masked, model=model, selection=selection, widths=widths)


def _read(model: nn.Module, shape: tuple[int, ...]) -> Selection:
    """The channels that some layer reads, of a network pruned by weights; of a group that nothing reads, the first."""
    channels = channels_of(model, shape, stream=True)
    flags = read_channels({name: w.detach() for name, w in maskable(model).items()}, channels)
    return Selection(channels=channels, open={n: f if any(f) else [True, *f[1:]] for n, f in flags.items()})


def load_small(state: str | Path, widths: str | Path | None = None) -> nn.Module:
    """The network whose state `bench export --shrink` wrote, on the CPU, in evaluation mode.

    Args:   widths: the JSON file beside it; by default of the same name, but .widths.json.
    Raises: ValueError, in one line, if the two are not of one network.
    """
    file = Path(state)
    record = json.loads((Path(widths) if widths else file.with_suffix(WIDTHS)).read_text())
    shape = tuple(record["image_shape"])
    model = models.build(record["model"], record["classes"], shape).to(DTYPES[record["precision"]]).eval()
    channels = channels_of(model, shape, stream=record["stream"])
    model = shrunk(model, channels, first_open(channels, record["widths"]))
    try:
        model.load_state_dict(tensors_in(file.read_bytes()))
    except RuntimeError as error:
        raise ValueError(f"{state}: {one_line(error)}") from None
    return model


def _safetensors(network: SmallNetwork) -> bytes:
    from safetensors.torch import save

    state = {name: tensor.contiguous() for name, tensor in network.model.state_dict().items()}
    return save(state, metadata={"widths": json.dumps(network.widths)})


def _torch_file(network: SmallNetwork) -> bytes:
    buffer = io.BytesIO()
    torch.save(network.model.state_dict(), buffer)
    return buffer.getvalue()


def _onnx(network: SmallNetwork) -> bytes:
    """By torch's exporter, for any number of images; its logits are checked in onnxruntime."""
    if missing := [package for package in ONNX_PACKAGES if find_spec(package) is None]:
        raise ValueError(f"an .onnx file: {missing[0]} must be installed; pip install 'freeze-or-prune[onnx]'")
    x = torch.from_numpy(np.random.RandomState(0).standard_normal((IMAGES, *network.widths["image_shape"]))).float()
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


WRITERS: Mapping[str, Callable[[SmallNetwork], bytes]] = {
    ".safetensors": _safetensors,
    ".pt": _torch_file,
    ".onnx": _onnx,
}
