"""The file of a network with closed channels: a bit for each channel, and the numbers of the small network."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache

import pytest
import torch
from small_trials import images, pictures, spec

from bench import names
from bench.artefact.artefact import read, write
from bench.artefact.container import PREFIX, SEAL, sizes
from bench.artefact.shrink import proved
from bench.channels.selection import Selection
from bench.datasets.images import ImageData
from bench.engine.setup.channels import masks_of
from bench.engine.setup.prepare import initial_model, resident
from bench.engine.train import train_epochs
from bench.methods.maskable import maskable
from bench.models import MODELS, build
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import close, shrunk
from bench.models.initialise import checksum
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

WIDTH = replace(spec("uniform-width", "0.7"), model="resnet20", batch_size=40)


@cache
def data() -> ImageData:
    return pictures(images(120, 20))


@cache
def trained(of_trial: TrialSpec = WIDTH) -> TrialResult:
    (result,) = (event for event in train_epochs([of_trial], data(), "cpu") if isinstance(event, TrialResult))
    assert (result.outcome, result.reason) == ("done", "")
    return result


def version(file: bytes) -> int:
    return int(PREFIX.unpack_from(file)[1])


def test_uniform_width_is_within_its_budget_and_counts_are_those_of_the_small_network() -> None:
    """0.7 of resnet20: 80,916 parameters at most, 79,882 of whole channels."""
    metrics, network = trained().metrics, read(trained().artefact)
    small = shrunk(network.model, network.selection.channels, network.selection.open)
    assert metrics[names.STORED_PARAMETERS] == sum(p.numel() for p in small.parameters()) == 79_882 <= 80_916
    assert metrics[names.FORWARD_MACS] == 11_483_776
    assert network.selection.widths == {
        f"layer{stage}.{block}.conv1": width for stage, width in ((1, 4), (2, 9), (3, 19)) for block in range(3)
    }
    assert (
        trained()
        .tags[names.SHRUNK]
        .startswith("79882 parameters and 11483776 multiply-accumulates as planned; logits of 20 images differ by ")
    )


def test_it_starts_at_the_weights_of_the_narrow_network() -> None:
    """As drawn for its own fan-in, and what it learns is what that network learns."""
    from bench.engine.setup.background import draw
    from bench.engine.setup.prepare import prepare

    trial = prepare(WIDTH, data(), "cpu")
    small = shrunk(trial.model, trial.selection.channels, trial.selection.open)
    narrow = shrunk(build("resnet20", 10), trial.selection.channels, trial.selection.open)
    draw(narrow, WIDTH)
    assert checksum(small) == checksum(narrow)
    assert trained().tags[names.INIT_SHA256] == checksum(trial.model)


def test_a_bit_for_each_channel() -> None:
    """3 stages of 3 groups of 16, 32 and 64 channels: 336 bits."""
    assert sizes(trained().artefact)["mask"] == 336 // 8 and version(trained().artefact) == 3
    network = read(trained().artefact)
    assert network.header.channels == "inner"
    assert checksum(network.model) == trained().tags[names.WEIGHTS_SHA256]


def test_the_bits_of_vgg16() -> None:
    model = build("vgg16-bn", 10)
    channels = channels_of(model, (3, 32, 32))
    flags = {name: [i % 3 > 0 for i in range(size)] for name, size in channels.widths.items()}
    close(model, channels, flags)
    selection = Selection(channels=channels, open=flags)
    file = write(
        spec=replace(WIDTH, model="vgg16-bn").record(), model=model, masks=masks_of(model, selection),
        init_sha256="0" * 64, image_shape=(3, 32, 32), classes=10, test_accuracy=0.1, selection=selection,
    )  # fmt: skip
    assert sizes(file)["mask"] == 528
    again = read(file)
    assert again.selection.open == flags and checksum(again.model) == checksum(model)


def test_files_of_other_networks_keep_their_version() -> None:
    other = trained(replace(spec("snip", "0.9"), model="resnet20", batch_size=40))
    assert version(other.artefact) == 1 and read(other.artefact).selection is None


@pytest.mark.parametrize("other", [1, 2])
def test_channels_in_a_file_of_an_earlier_version_are_refused(other: int) -> None:
    file = trained().artefact
    magic, _, length = PREFIX.unpack_from(file)
    body = PREFIX.pack(magic, other, length) + file[PREFIX.size : -SEAL]
    with pytest.raises(ValueError, match=f"^format version {other}: must be 3, by what its header has$"):
        read(body + hashlib.sha256(body).digest())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bits: bits[:-1], "bits of 41 bytes: must be 42 for 336 channels"),
        (lambda bits: b"\0" * 2 + bits[2:], r"group layer1\.0\.conv1: no channel is open; must be at least one"),
        (lambda bits: bits[:-1] + b"\1", r"mask of layer3\.2\.conv1\.weight: .* live weights by its channels, but"),
    ],
)
def test_damaged_bits_are_refused(change, words: str) -> None:  # type: ignore[no-untyped-def]
    from bench.artefact.container import seal, unseal

    header, (mask, live, others) = unseal(trained().artefact)
    with pytest.raises(ValueError, match=f"^{words}"):
        read(seal(header, (change(mask), live, others)))


def test_a_mask_that_is_not_of_channels_is_refused() -> None:
    network = read(trained().artefact)
    masks = {name: mask.clone() for name, mask in network.masks.items()}
    masks["fc.weight"][0, 0] = False
    with pytest.raises(ValueError, match=r"^mask of fc\.weight: must be that of the open channels$"):
        write(
            spec=WIDTH.record(), model=network.model, masks=masks, init_sha256="0" * 64, image_shape=(3, 32, 32),
            classes=10, test_accuracy=0.1, selection=network.selection,
        )  # fmt: skip


def test_a_proof_that_fails_says_so() -> None:
    """A network whose closed channels still add a constant is not its small one: `close` is what the proof is of."""
    network = read(trained().artefact)
    images_of = resident("resnet20", "float32", data(), "cpu", data().test_images, data().test_labels)
    proof = proved(network.model, network.selection, images_of)
    assert proof.images == 20 and proof.difference <= 1e-10
    torch.nn.init.constant_(network.model.fc.weight, float("nan"))
    with pytest.raises(RuntimeError, match=r"^shrunk, its logits differ by nan of the largest: must be at most 1e-10$"):
        proved(network.model, network.selection, images_of)


def test_masked_training_is_training_of_the_narrow_network() -> None:
    """Three steps of SGD in float64: the same logits."""
    torch.manual_seed(0)
    one = replace(WIDTH, precision="float64")
    model = initial_model(one, 10)
    channels = channels_of(model, (3, 32, 32))
    flags = {name: [i < size // 2 for i in range(size)] for name, size in channels.widths.items()}
    close(model, channels, flags)
    small, masks = shrunk(model, channels, flags), masks_of(model, Selection(channels=channels, open=flags))
    x, y = torch.randn(6, *MODELS["resnet20"].image_shape, dtype=torch.float64), torch.arange(6)
    for network in (model, small):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            if network is model:
                for name, weight in maskable(model).items():
                    weight.grad *= masks[name]
            optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(small.eval()(x), model.eval()(x), rtol=1e-9, atol=1e-9)


def test_resumed_it_knows_its_channels() -> None:
    from bench.engine.setup.prepare import prepare, prepare_again, residents
    from bench.storage.checkpoint import Checkpoint

    trial = prepare(WIDTH, data(), "cpu")
    saved = Checkpoint(
        run_key=WIDTH.run_key, model=dict(trial.model.state_dict()), masks=dict(trial.masks), update={},
        init_sha256=trial.init_sha256, dead_sha256="", metrics={names.SCORING_SECONDS: 0.0}, epochs=[], layers={},
        tags={}, started=0.0, seconds=0.0, best=0.0,
    )  # fmt: skip
    again = prepare_again(WIDTH, data(), "cpu", residents(WIDTH, data(), "cpu"), saved)
    assert again.selection.widths == trial.selection.widths
