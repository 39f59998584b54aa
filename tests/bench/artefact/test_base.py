"""Networks that started from others: the file names its base, holds the rest, and comes back with the base alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from remade_files import remade
from small_trials import images, spec

from bench import names
from bench.artefact.artefact import read
from bench.artefact.container import PREFIX, unseal
from bench.artefact.narrow import narrowed
from bench.artefact.network_file import load
from bench.canonical import key_of
from bench.engine.needs import Needs
from bench.engine.setup.checksums import logits_checksum
from bench.engine.setup.prepare import resident
from bench.engine.train import train
from bench.models.initialise import checksum
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import Pretraining, Start

DATA = images(130, 30)
OTHER = images(150, 30)  # what the base is trained on
START = Start(base=Pretraining(dataset="other", data_hash="1", epochs=1, lr=0.05))


def started(method: str, rate: str, **fields: Any) -> TrialSpec:
    return spec(method, rate, start=START, lr=0.05, criterion_per_class=2, **fields)


@cache
def base() -> TrialResult:
    (need,) = started("freeze", "0.99").needs()
    (result,) = train([need], OTHER, "cpu")
    return result


@cache
def trained(method: str, rate: str) -> TrialResult:
    one = started(method, rate)
    (result,) = train([one], DATA, "cpu", needs=Needs({one.base_key: base().artefact}))
    assert result.outcome == names.DONE, result.reason
    return result


def written(folder: Path, **files: bytes) -> dict[str, Path]:
    for name, data in files.items():
        (folder / f"{name}.frz").write_bytes(data)
    return {name: folder / f"{name}.frz" for name in files}


def test_a_frozen_network_comes_back_with_its_base(tmp_path: Path) -> None:
    """LeNet-300-100 at 0.99 from another data set's base: the same weights and logits, of a far smaller file."""
    result = trained("freeze", "0.99")
    header, _ = unseal(result.artefact)
    assert header.base is not None and header.needs_base
    assert (header.base.key, header.base.weights) == (base().run_key, base().tags[names.WEIGHTS_SHA256])
    assert PREFIX.unpack_from(result.artefact)[1] == 2 and PREFIX.unpack_from(base().artefact)[1] == 1
    assert len(result.artefact) < len(base().artefact) / 40
    files = written(tmp_path, a=result.artefact, base=base().artefact)
    for given in (files["base"], str(files["base"]), [files["base"]]):
        model = load(files["a"], base=given)
        assert checksum(model) == result.tags[names.WEIGHTS_SHA256]
        assert logits_checksum(model, 0, (1, 28, 28)) == header.sha256.logits
    frozen = model.state_dict()["fc1.weight"] == load(files["base"]).state_dict()["fc1.weight"]
    assert frozen.double().mean() > 0.98


def test_without_its_base_or_with_another(tmp_path: Path) -> None:
    other, narrower = trained("dense", "0"), base()
    images_of_test = resident("lenet-300-100", "float32", DATA, "cpu", DATA.test_images, DATA.test_labels)
    files = written(
        tmp_path, a=trained("freeze", "0.99").artefact, other=other.artefact, base=base().artefact,
        narrow=narrowed(read(narrower.artefact), "int8", images_of_test),
    )  # fmt: skip
    key, weights = base().run_key[:16], base().tags[names.WEIGHTS_SHA256][:16]
    with pytest.raises(ValueError, match=f"a.frz: its base {key} is missing: .* whose file must be given"):
        load(files["a"])
    wrong = f"trial {other.run_key[:16]} with weights of SHA-256 {other.tags[names.WEIGHTS_SHA256][:16]}"
    with pytest.raises(ValueError) as error:
        load(files["a"], base=files["other"])
    said = f"{files['a']}: base: must be trial {key} with weights of SHA-256 {weights}; given is {wrong}"
    assert str(error.value) == said
    with pytest.raises(
        ValueError, match=f"base: must be trial {key} with weights of SHA-256 {weights}; given is trial"
    ):
        load(files["a"], base=files["narrow"])  # the same trial's, and other weights
    files["base"].write_bytes(base().artefact[:-1])
    with pytest.raises(ValueError, match=r"base.frz: corrupted or cut off"):
        load(files["a"], base=files["base"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": None}, "header, base: Value error, must be there if the spec has a start, and only then, found"),
        ({"start": {}}, "header, spec.start.head: Field required"),
        (
            {"start": {"head": "trained", "norm": "kept"}},
            "header, spec.start.head: Input should be 'redrawn'",
        ),
    ],
)
def test_a_header_whose_start_is_none(fields: dict[str, Any], said: str) -> None:
    data = trained("freeze", "0.99").artefact
    record = unseal(data)[0].spec.model_dump()
    assert record == started("freeze", "0.99").record() and key_of(record) == trained("freeze", "0.99").run_key
    with pytest.raises(ValueError, match=f"^{said}"):
        read(remade(data, spec=record | fields), {base().run_key: base().artefact})


@pytest.mark.parametrize(("method", "rate"), [("snip", "0.99"), ("dense", "0")])
def test_a_network_without_frozen_weights_needs_no_base(method: str, rate: str, tmp_path: Path) -> None:
    result = trained(method, rate)
    header, _ = unseal(result.artefact)
    assert header.base is not None and not header.needs_base
    files = written(tmp_path, a=result.artefact)
    assert checksum(load(files["a"])) == result.tags[names.WEIGHTS_SHA256]


def test_narrower_values_of_a_frozen_network(tmp_path: Path) -> None:
    bases = {base().run_key: base().artefact}
    network = read(trained("freeze", "0.99").artefact, bases)
    images_of_test = resident("lenet-300-100", "float32", DATA, "cpu", DATA.test_images, DATA.test_labels)
    data = narrowed(network, "bfloat16", images_of_test)
    again = read(data, bases)
    assert again.header.base == network.header.base and len(data) < len(trained("freeze", "0.99").artefact)
    dead = ~network.masks["fc1.weight"]
    same = again.model.state_dict()["fc1.weight"] == network.model.state_dict()["fc1.weight"]
    assert torch.equal(again.masks["fc1.weight"], network.masks["fc1.weight"]) and bool(same[dead].all())


def test_a_file_without_a_base_is_as_it_was() -> None:
    """Its header says nothing of a base: readers of the first version of the format read it."""
    (result,) = train([spec("freeze", "0.9", criterion_per_class=2)], DATA, "cpu")
    assert PREFIX.unpack_from(result.artefact)[1] == 1
    assert "base" not in unseal(result.artefact)[0].model_dump(exclude_unset=True)
