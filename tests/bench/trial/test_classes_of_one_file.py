"""Methods of one file whose classes differ in their code alone: two records, or a refusal in one line."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from small_trials import images, spec

from bench.canonical import canonical_json
from bench.engine.train import train
from bench.methods import METHODS, IterativeSNIP, Method, SparseTraining
from bench.trial.plugins import Catalogue
from bench.trial.sweep import Sweep

HEAD = "from dataclasses import dataclass\nfrom bench.methods import IterativeSNIP, SparseTraining\n"
CLASS = "@dataclass(frozen=True, kw_only=True)\nclass {}({}):\n    {}\n"
TABLE = "METHODS = {{{}}}\n"
BODIES = (  # each differs from all others in one place of the seam, or in a method that this calls
    "def revise(self, at): return at.masks",
    "def revise(self, at): return super().revise(at)",
    "def reset(self, at, masks): return {}",
    "def moments(self, epochs): return (1,)",
    "def start_rate(self, rate): return rate",
    "def shape(self, at, done, lr): pass",
    "def attach(self, at): return ()",
    "def open_channels(self, channels, rate, generator): return {}",
    "def _growth(self, at): return {}",
)


def catalogue(folder: Path, *classes: tuple[str, str]) -> Catalogue:
    """Of a plug-in of these classes, each a base and a body, called C0, C1 …"""
    lines = [CLASS.format(f"C{i}", base, body) for i, (base, body) in enumerate(classes)]
    rows = ", ".join(f"'c{i}': C{i}()" for i in range(len(classes)))
    (folder / "mine.py").write_text(HEAD + "".join(lines) + TABLE.format(rows))
    return Catalogue([str(folder / "mine.py")])


def test_two_that_change_masks_in_other_ways_are_two_methods(tmp_path: Path) -> None:
    of_file = catalogue(tmp_path, *(("SparseTraining", body) for body in BODIES))
    records = [canonical_json(of_file[f"c{i}"].record()) for i in range(len(BODIES))]
    assert all(first != second for first, second in combinations(records, 2))
    assert [of_file.parse(f"c{i}")[0] for i in range(len(BODIES))] == [f"c{i}" for i in range(len(BODIES))]


def test_a_class_that_inherits_one_from_another_of_its_file(tmp_path: Path) -> None:
    base = ("SparseTraining", "def revise(self, at): return self.chosen(at)")
    others = [("C0", f"def chosen(self, at): return {{'{name}': 1}}") for name in "ab"]
    of_file = catalogue(tmp_path, base, *others)
    assert len({canonical_json(of_file[f"c{i}"].record()) for i in range(3)}) == 3


def test_a_class_of_fields_alone_keeps_the_record_it_had(tmp_path: Path) -> None:
    """As it was before classes had a place in it: every key of such a plug-in is made of it."""
    of_file = catalogue(tmp_path, ("SparseTraining", "fraction: float = 0.5"), ("IterativeSNIP", "rounds: int = 3"))
    source = {"source": hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()}
    assert of_file["c0"].record() == {**SparseTraining(fraction=0.5).record(), **source}
    assert of_file["c1"].record() == {**IterativeSNIP(rounds=3).record(), **source}


def test_code_that_no_record_tells_is_refused(tmp_path: Path) -> None:
    """Of methods at initialisation, whose records are those of earlier versions."""
    of_file = catalogue(
        tmp_path, *(("IterativeSNIP", f"def parameters(self): return {{'rounds': {n}}}") for n in (1, 2))
    )
    said = (
        "methods c0 and c1: parameters of C1 is not that of C0, and their fields are the same; must differ in a field,"
        " or in the class of select"
    )
    both = {name: of_file[name] for name in ("c0", "c1")}
    assert of_file.parse("c0")[0] == "c0"
    with pytest.raises(ValueError) as error:
        of_file.parse("c1")
    assert str(error.value) == said
    with pytest.raises(ValueError) as error:
        Sweep(methods=both, rates=[], seeds=[], dense=False, classes=10, protocol={})
    assert str(error.value) == said


def test_ours_have_no_class_in_their_record() -> None:
    assert not [name for name, method in METHODS.items() if "class" in method.record()]
    assert "class" not in Method(criterion="snip", background="prune").record()


def test_a_field_may_have_the_name_of_what_only_other_methods_have(tmp_path: Path) -> None:
    """Plug-ins had such fields before a method could change its masks; they train as ever."""
    names = "moments: int = 2\n    start_rate: float = 0.5\n    reset: bool = True\n    shape: str = 'a'\n    "
    mine = catalogue(tmp_path, ("IterativeSNIP", f"{names}revise: int = 1"))["c0"]
    assert (mine.changes_masks, mine.at_initialisation) == (False, True)
    assert mine.record()["shape"] == "a" and "class" not in mine.record()
    (result,) = train([replace(spec("snip"), method=replace(mine, rounds=1, criterion="snip"))], images(), "cpu")
    assert result.outcome == "done", result.reason
    with pytest.raises(ValueError, match="field shape of C0: must have another name; Method has one"):
        catalogue(tmp_path, ("SparseTraining", "shape: int = 1"))


HELPERS = "\n    ".join(
    f"def {name}(self): raise RuntimeError"
    for name in ("start_rate", "revise", "reset", "restarted", "attach", "shape", "open_channels", "slack")
)


def test_a_one_shot_method_may_have_helpers_of_these_names(tmp_path: Path) -> None:
    """Plug-ins had such helpers before there was a seam: their key is what it was, and nobody calls them."""
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\nfrom bench.methods import Method\n"
        + CLASS.format("Mine", "Method", f"criterion: str = 'snip'\n    background: str = 'freeze'\n    {HELPERS}")
        + TABLE.format("'mine': Mine()")
    )
    mine = Catalogue([str(tmp_path / "mine.py")])["mine"]
    source = hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()
    assert canonical_json(mine.record()) == (
        f'{{"background":"freeze","criterion":"snip","scope":"global","select":"one-shot","source":"{source}"}}'
    )
    (result,) = train([replace(spec("snip"), method=mine)], images(), "cpu")
    assert result.outcome == "done", result.reason


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def restarted(self): return 1", "restarted of C0: must take (at, masks)"),
        ("def attach(self, model, state): return ()", "attach of C0: must take (at)"),
        ("reset = 1", "reset of C0: must take (at, masks)"),
        ("def ends_at_budget(self): return 1", "ends_at_budget of C0: method; must be True or False"),
    ],
)
def test_what_the_engine_could_not_ask_is_refused_before_anything_is_trained(
    body: str, message: str, tmp_path: Path
) -> None:
    helper = "def slack(self): return 1"  # which is asked of none without a budget
    assert catalogue(tmp_path, ("SparseTraining", helper))["c0"].record()["class"] == "C0"
    with pytest.raises(ValueError) as error:
        catalogue(tmp_path, ("SparseTraining", body))
    assert str(error.value).endswith(message)
