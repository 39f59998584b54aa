"""What `verify` computes is bounded, whatever a file says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from remade_files import remade
from small_trials import spec

from bench import models
from bench.artefact.artefact import write
from bench.cli.cli import main
from bench.engine.setup import checksums
from bench.engine.setup.checksums import logits_checksum
from bench.methods.maskable import maskable


def test_a_file_that_asks_for_hours_of_computing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network that takes images of any size, in a valid file that says that its images had 512 × 512 pixels."""
    monkeypatch.chdir(tmp_path)
    model = models.build("resnet18", 10)
    masks = {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in maskable(model).items()}
    with torch.no_grad():
        for weight in maskable(model).values():
            weight.zero_()
    data = write(
        spec=spec("snip", "0.999", model="resnet18").record(), model=model, masks=masks, init_sha256="0" * 64,
        image_shape=(3, 32, 32), classes=10, test_accuracy=0.5,
    )  # fmt: skip
    Path("a.frz").write_bytes(remade(data, image_shape=[3, 512, 512]))
    assert main(["verify", "a.frz"]) == 1
    asked = "its logits on 16 images 3×512×512 take 2.3e+12 multiply-accumulates: must be at most 2e+12"
    assert capsys.readouterr().err == f"error: a.frz: {asked}\n"


@pytest.mark.parametrize("at_once", [1, 3, 16])
def test_the_logits_are_the_same_however_many_images_are_computed_on_at_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    torch.manual_seed(0)
    model = models.build("lenet-5-caffe", 10)
    whole = logits_checksum(model, 7, (1, 28, 28))
    monkeypatch.setattr(checksums, "VALUES", at_once * 28 * 28)
    assert logits_checksum(model, 7, (1, 28, 28)) == whole
