"""Identity: what is in the run key, and that it does not move."""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from small_trials import spec

from bench.methods import METHODS, GraSP, Method
from bench.trial.search import Search
from bench.trial.spec import FIELD_ROWS, TrialSpec
from bench.trial.start import Pretraining, Start


def test_golden_run_key() -> None:
    """A key that moves orphans every trial in every store: finished work would be trained again.

    If this fails, a field, a default or the canonical text changed. Raise ENGINE and this constant only where the
    numbers of a trial really change; otherwise restore the text.
    """
    s = spec("freeze", "0.99", dataset="digits", epochs=30)
    assert s.run_key == "d5d81de6744984b55fd2930e7f71afb6a9e3f5879f3790e6afb770ea53275460"
    assert s.group_key == "17f55075c1d7cd0acee9639aa07173b52cfb1a5394624f8a74573e53eb7cba76"


OTHER: dict[str, Any] = {  # where another value is not just any
    "dataset": "x", "data_hash": "1", "model": "x", "method": METHODS["snip"], "rate": Decimal("0.91"), "seed": 1,
    "initialiser": "he-normal", "milestones": (0.5,),
    "start": Start(base=Pretraining(dataset="y", data_hash="2", epochs=1, lr=0.1)),
    "tuning": Search(bounds=(("lr", 0.01, 1.0),), protocol_values=(0.1,), budget=8, seeds=(1000,), grace=1),
}  # fmt: skip


def other_value(field: str) -> Any:
    """A value other than the field's default."""
    row = FIELD_ROWS[field]
    if field in OTHER:
        return OTHER[field]
    if row.choices:
        return [choice for choice in row.choices if choice != row.default][-1]
    if isinstance(row.default, bool):
        return not row.default
    return row.default + 1 if isinstance(row.default, int) else row.default / 2 or 0.5


@pytest.mark.parametrize("field", [f.name for f in fields(TrialSpec) if f.init])
def test_every_field_changes_the_key(field: str) -> None:
    base = spec(schedule="step", milestones=(0.3,)) if field == "milestones" else spec()
    changed = replace(base, **{field: other_value(field)})
    assert getattr(changed, field) != getattr(base, field)
    assert changed.run_key != base.run_key
    assert (changed.group_key == base.group_key) is (field == "seed")


def test_one_value_one_key() -> None:
    assert spec(rate="0.90").run_key == spec(rate="0.9").run_key
    assert spec(lr=1).run_key == spec(lr=1.0).run_key
    assert spec("snip-freeze").run_key == spec("freeze").run_key
    assert replace(spec("grasp"), method=GraSP(temperature=200)).run_key == spec("grasp").run_key
    assert spec("snip", "0").run_key == spec("freeze", "0").run_key == spec("dense").run_key
    assert replace(spec("grasp"), method=GraSP(temperature=1.0)).run_key != spec("grasp").run_key


def test_biases_have_rate_1_and_nothing_else_has() -> None:
    floor = replace(spec(), method=METHODS["biases"], rate=Decimal(1))
    assert floor.record()["rate"] == "1" and floor.record()["method"]["select"] == "Biases"
    with pytest.raises(ValueError, match=r"biases at rate 0\.9: must be 1"):
        replace(spec(), method=METHODS["biases"])
    with pytest.raises(ValueError, match="head trained with biases: must be masked"):
        replace(floor, head="trained")
    with pytest.raises(ValueError, match="rate 1: must be 0 <= rate < 1, or the method biases"):
        replace(spec(), rate=Decimal(1))
    with pytest.raises(ValueError, match=r"rate 1\.01: must be 0 <= rate < 1"):
        replace(floor, rate=Decimal("1.01"))
    with pytest.raises(ValueError, match="background 'prune' of Biases: must be 'freeze'"):
        replace(METHODS["biases"], background="prune")
    with pytest.raises(ValueError, match="control shuffle of Biases"):
        replace(METHODS["biases"], control="shuffle")


def test_dense_has_no_rate() -> None:
    with pytest.raises(ValueError, match=r"dense at rate 0\.9: must be 0"):
        replace(spec(), method=METHODS["dense"])


def test_a_criterion_is_identified_by_name_and_source() -> None:
    def captures(sign: int) -> Any:
        return lambda model, batches, loss, generator: {"w": sign}

    for criterion in (captures(1), partial(print), lambda *arguments: {}):
        with pytest.raises(ValueError, match="must be a named function that captures no variables"):
            Method(criterion=criterion, background="freeze")


def test_a_base_class_in_another_file_is_part_of_the_key(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    child = "from foreign_base import Base\nclass Child(Base):\n    pass\n"
    base = "from bench.methods import Method\nclass Base(Method):\n    def select(self, *a):\n        return {}\n"
    sources = []
    for source in (base, base.replace("{}", "dict()")):
        (tmp_path / "foreign_base.py").write_text(source)
        (tmp_path / "foreign_child.py").write_text(child)
        for name in ("foreign_base", "foreign_child"):
            sys.modules.pop(name, None)
        module = importlib.import_module("foreign_child")
        sources.append(module.Child(criterion="none", background="prune").record()["source"])
    assert sources[0] != sources[1]


def test_a_plug_ins_source_is_part_of_the_key(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.trial.plugins import Catalogue

    keys = []
    for body in ("return {}", "return {} or {}"):
        file = tmp_path / "mine.py"
        file.write_text(
            "from bench.methods import Method\ndef score(model, batches, loss, generator):\n    "
            + body
            + '\nMETHODS = {"mine": Method(criterion=score, background="freeze")}\n'
        )
        keys.append(replace(spec(), method=Catalogue([str(file)])["mine"]).run_key)
    assert keys[0] != keys[1]
    assert "source" not in Method(criterion="snip", background="freeze").record()


@pytest.mark.parametrize(
    ("fields_", "message"),
    [
        ({"epochs": 0}, "epochs 0: must be a whole number >= 1"),
        ({"batch_size": -1}, "batch_size -1: must be a whole number >= 1"),
        ({"seed": 2**32}, "seed 4294967296: must be 0 <= seed < 4294967296"),
        ({"lr": 0}, "lr 0.0: must be lr > 0"),
        ({"lr": float("nan")}, "lr nan: must be lr > 0"),
        ({"momentum": 1}, "momentum 1.0: must be 0 <= momentum < 1"),
        ({"nesterov": True, "momentum": 0}, "nesterov with sgd, momentum 0.0"),
        ({"optimizer": "adam", "nesterov": True}, "nesterov with adam"),
        ({"optimizer": "lamb"}, "optimizer 'lamb': must be one of sgd, adam, adamw"),
        ({"criterion_statistics": "runing"}, "criterion_statistics 'runing': must be one of batch, running"),
        ({"criterion_precision": "bfloat16"}, "criterion_precision 'bfloat16': must be one of float32, float64"),
        ({"device": "tpu"}, "device 'tpu': must be one of cpu, cuda"),
        ({"pack": "streams"}, "pack 'streams': must be one of single, vmap, unfold"),
        ({"pack": "vmap", "step": "sparse"}, "step sparse with pack vmap: the pack must be single"),
        ({"milestones": (0.5,)}, "milestones (0.5,) with schedule cosine: the schedule must be step"),
        ({"schedule": "step"}, "milestones () with schedule step: must be given"),
        ({"schedule": "step", "milestones": (0.5, 0.5)}, "milestones (0.5, 0.5): must be rising"),
        ({"warmup_epochs": 1}, "warmup-epochs 1: must be less than the 1 epoch; of that many the default is 0.1"),
        ({"validation_fraction": 1}, "validation_fraction 1.0"),
        ({"step": "auto"}, "step 'auto': must be one of dense, sparse"),
        ({"step": "sparse", "rate": "0"}, "step sparse at rate 0: must be dense"),
        ({"step": "sparse", "device": "cuda"}, "step sparse on cuda: the device must be cpu"),
        (
            {"step": "sparse", "precision": "bfloat16"},
            "step sparse in bfloat16: the precision must be float32 or float64",
        ),
    ],
)
def test_errors_name_the_value_and_what_it_must_be(fields_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        spec(**fields_)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(ValueError) as error:
        spec(milestones=tuple(range(1, 1700)), schedule="step")
    assert len(str(error.value)) < 200
    assert str(error.value).endswith("…: must be rising fractions of the training, in (0, 1)")
