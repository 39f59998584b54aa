"""How the training of a section is told: the fields that have an effect, the machine and the code."""

from __future__ import annotations

from typing import Any

import pytest
from rendered import render
from trial_frames import PROTOCOL, frame, small, trial

from bench import names
from bench.results.tables.protocol import protocol

PLAIN = {
    **PROTOCOL, "device": "cpu", "threads": 1, "criterion_precision": "float64", "criterion_statistics": "batch",
    "gamma": 0.1, "pack": "single", "step": "dense", "tf32": False,
}  # fmt: skip
MACHINE = {
    "bench.python": "3.11.7", "bench.torch": "2.11.0", "bench.numpy": "2.1.0", "bench.cpu": "AMD EPYC",
    "bench.gpu": "NVIDIA H200", "git_commit": "c0ffee" * 6,
}  # fmt: skip


def test_fields_without_effect_are_not_told() -> None:
    assert protocol(PLAIN).endswith(", data d1d1d1d1d1d1; float32 (criterion in float64) on cpu with 1 thread.")
    assert "learning rate ×" not in protocol(PLAIN)
    assert "milestones" not in protocol({**PLAIN, "milestones": [0.5]})


def test_the_step_schedule_has_milestones_and_a_factor() -> None:
    told = protocol({**PLAIN, "schedule": "step", "milestones": [0.5, 0.75]})
    assert "step schedule, milestones at 0.5, 0.75 of the training, learning rate × 0.1 at each, " in told


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"criterion_statistics": "running"}, "; criterion_statistics = running."),
        ({"tf32": True}, "; tf32 = yes."),
        ({"threads": 4, "device": "cuda"}, "; float32 (criterion in float64) on cuda with 4 threads."),
        ({"criterion_precision": "float32"}, "; float32 on cpu with 1 thread."),
        ({"new_field": 3}, "; new_field = 3."),
        ({"warmup_epochs": 1.0}, ", 1 warm-up epoch, "),
    ],
)
def test_what_is_not_plain_is_told(changed: dict[str, Any], words: str) -> None:
    assert words in protocol({**PLAIN, **changed})


def test_a_plain_field_is_told_where_sections_differ_in_it() -> None:
    assert "engine" not in render(frame([trial("snip", "0.9", 0, 0.9)]))
    made = render(frame([trial("snip", "0.9", 0, 0.9), trial("snip", "0.9", 0, 0.9, model="mlp", engine=2)]))
    assert "; engine = 1." in made and "; engine = 2." in made


def trained(*machines: dict[str, Any], **fields: Any) -> str:
    rows = [trial("snip", "0.9", seed, 0.9, **fields) | machine for seed, machine in enumerate(machines)]
    return next((line for line in render(frame(rows)).splitlines() if line.startswith("Trained")), "")


def test_the_environment_is_one_line() -> None:
    assert trained(MACHINE, MACHINE) == (
        "Trained with Python 3.11.7, torch 2.11.0, numpy 2.1.0 on AMD EPYC from commit c0ffeec0ffee."
    )
    assert " on AMD EPYC, NVIDIA H200 from " in trained(MACHINE, device="cuda")
    assert trained({}) == ""
    assert trained({"bench.torch": "2.11.0"}) == "Trained with torch 2.11.0."


def test_what_differs_between_trials_is_several() -> None:
    other = {**MACHINE, "bench.numpy": "2.2.0", "bench.cpu": "Xeon", "git_commit": "f00"}
    assert trained(MACHINE, other) == (
        "Trained with Python 3.11.7, torch 2.11.0, several versions of numpy on several CPUs from several commits."
    )


def test_uncommitted_changes_are_told() -> None:
    dirty = {**MACHINE, "git_dirty": True}
    assert trained(dirty, dirty).endswith("from commit c0ffeec0ffee with uncommitted changes.")
    assert trained(dirty, MACHINE).endswith("from commit c0ffeec0ffee with uncommitted changes in some trials.")


def test_trials_without_a_record_are_counted() -> None:
    dirty = {**MACHINE, "git_dirty": True}
    assert trained({}, dirty).endswith("c0ffeec0ffee with uncommitted changes (recorded for 1 of 2 trials).")


def test_the_environment_is_that_of_the_trials_shown() -> None:
    rows = [row | {"bench.torch": "2.11.0" if row["rate"] == "0.99" else "2.12.0"} for row in small()]
    assert "Trained with several versions of torch." in render(frame(rows))
    assert "several" not in render(frame([r for r in rows if r["method"] != "dense"]), rates=["0.99"])


def test_an_environment_tag_of_the_frame_is_never_nan() -> None:
    made = frame([trial("snip", "0.9", 0, 0.9), trial("snip", "0.9", 1, 0.9) | {"bench.gpu": "NVIDIA H200"}])
    assert list(made["bench.gpu"]) == ["", "NVIDIA H200"]
    assert all(list(made[tag]) == ["", ""] for tag in names.ENVIRONMENT if tag != "bench.gpu")
