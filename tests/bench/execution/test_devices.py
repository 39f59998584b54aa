"""Which device is taken, which is refused and why, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_packs import pack_of
from small_trials import spec

from bench.cli.cli import main
from bench.execution import devices
from bench.execution.devices import ACCELERATORS, chosen_words, device_of


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The accelerators whose drivers this machine has."""
    names: set[str] = set()
    for name, row in ACCELERATORS.items():
        there = replace(row, is_there=lambda name=name: name in names)
        monkeypatch.setitem(ACCELERATORS, name, there)
    return names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rocm", "device rocm: was never tried, and torch calls it cuda"),
        ("mps", "device mps: has no float64, in which criteria score; must be one of auto, cpu, cuda"),
        ("xpu", "device xpu: was never tried; must be one of auto, cpu, cuda"),
    ],
)
def test_every_other_device_is_refused_by_name(capsys: pytest.CaptureFixture[str], name: str, said: str) -> None:
    for elsewhere in (False, True):
        with pytest.raises(ValueError, match=said.partition(";")[0]):
            device_of(name, elsewhere=elsewhere)
    assert main(["run", "--device", name, "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_auto_takes_cuda_where_torch_has_it(has: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto") == "cpu"  # without a driver torch is not asked
    has.add("cuda")
    assert device_of("auto") == device_of("cuda") == "cuda" and device_of("cpu") == "cpu"
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert device_of("auto") == "cpu"
    with pytest.raises(ValueError, match="device cuda: torch is built for ROCm here, which was never tried"):
        device_of("cuda")


def test_a_machine_without_a_gpu_may_ask_others_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("cuda", elsewhere=True) == "cuda"
    with pytest.raises(ValueError, match="device cuda: torch finds none here; must be auto or cpu"):
        device_of("cuda")


def test_auto_says_what_it_took(has: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    on_cuda = [spec(pack="vmap", device="cuda"), *pack_of("unfold", device="cuda", model="lenet-5-caffe")]
    assert chosen_words("auto", "auto", [spec()]) == ""  # nothing was chosen
    assert chosen_words("auto", "auto", on_cuda) == "auto: device cuda; pack vmap for 1 trial; pack unfold for 4 trials"
    assert chosen_words("cuda", "auto", on_cuda[:1]) == "auto: pack vmap for 1 trial"
    assert chosen_words("cuda", "vmap", on_cuda) == ""
    has |= {"cuda", "mps"}
    monkeypatch.setattr(devices, "_no_cuda", lambda: "torch finds none here")
    assert chosen_words("auto", "auto", [spec()]) == (
        "auto: device cpu, for there is an NVIDIA driver: torch finds none here;"
        " an Apple GPU (MPS): has no float64, in which criteria score"
    )
    assert chosen_words("cpu", "auto", [spec()]) == ""
