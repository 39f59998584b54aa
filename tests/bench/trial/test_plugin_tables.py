"""Networks, optimizers and schedules of a plug-in: in the tables, in the run key by their source, replaced anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bench.methods import METHODS
from bench.methods.identity.code import source_of_code
from bench.models import MODELS, build
from bench.trial.optimizers import UPDATES
from bench.trial.outside import rows as outside
from bench.trial.outside.rows import take
from bench.trial.outside.sources import SOURCES, check_sources
from bench.trial.outside.tables import TABLES
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.schedules import SCHEDULES
from bench.trial.spec import TrialSpec

NETWORK = """
from torch import nn
WIDTH = 20
class Net(nn.Module):
    def __init__(self, classes, image_shape):
        super().__init__()
        channels, height, width = image_shape
        self.hidden = nn.Linear(channels * height * width, WIDTH)
        self.last = nn.Linear(WIDTH, classes)
    def forward(self, x):
        return self.last(self.hidden(x.flatten(1)).relu())
MODELS = {"net": Net, "plain": lambda classes: nn.Sequential(nn.Flatten(), nn.Linear(784, classes))}
"""
UPDATE = """
class Sign:
    def __init__(self, spec, tensors, weight_decay):
        self.tensors, self.state = list(tensors), []
    def state_of(self, place):
        return []
    def step(self, gradients, lr):
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.sub_(lr * gradient.sign())
def linear(fields, step, steps, warmup):
    return 1 - step / steps
OPTIMIZERS, SCHEDULES = {"sign": Sign}, {"linear": linear}
"""


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    """The tables as they are, again at the end."""
    before = {name: dict(table.rows) for name, table in TABLES.items()}
    yield
    for name, rows in before.items():
        TABLES[name].rows.clear()
        TABLES[name].rows.update(rows)
    outside._rows.clear()
    SOURCES.clear()


def plugin(folder: Path, source: str, name: str = "mine.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(source)
    return str(folder / name)


def spec(**fields: Any) -> TrialSpec:
    fields = {"model": "lenet-300-100", **fields}
    return TrialSpec(method=METHODS["snip"], rate=Decimal("0.9"), dataset="digits", data_hash="0", seed=0, **fields)


def test_a_plugin_of_networks_alone(tmp_path: Path) -> None:
    Catalogue([plugin(tmp_path, NETWORK)])
    assert [tuple(p.shape) for p in build("net", 3, (1, 4, 5)).parameters()] == [(20, 20), (20,), (3, 20), (3,)]
    assert MODELS["net"].layers(3, (1, 4, 5)) == {"hidden.weight": (20, 20), "last.weight": (3, 20)}
    assert MODELS["plain"].parameters(10, (1, 28, 28)) == 7_850 and MODELS["net"].takes((3, 96, 96))


def test_the_source_is_the_same_wherever_the_file_lies_and_another_if_it_is_edited(tmp_path: Path) -> None:
    keys = []
    for folder, source in (("a", NETWORK), ("b", NETWORK), ("c", NETWORK.replace("WIDTH = 20", "WIDTH = 30"))):
        outside.add([], f"bench_plugin_mine_{folder}")
        _forget()
        Catalogue([plugin(tmp_path / folder, source)])
        keys.append((spec(model="net").run_key, spec(model="plain").run_key))
    assert keys[0] == keys[1] and keys[0][0] != keys[0][1]
    assert keys[0][0] != keys[2][0]


def _forget() -> None:
    """As in another process."""
    for table, name in list(outside._rows):
        del outside._rows[table, name], TABLES[table].rows[name], SOURCES[TABLES[table].field, name]


@pytest.mark.skipif(version("torchvision").partition("+")[0] != "0.29.1", reason="the hashes are of its files")
def test_the_sources_of_torchvision_are_those_of_earlier_trials() -> None:
    from torchvision.models import AlexNet, resnet18

    assert [source_of_code(AlexNet), source_of_code(resnet18)] == [
        "db72f0ed85d7fecd654e6c5832fdc8ffd1bbde661afd31e4cc21855f3ebc3091",
        "e1c84071ecb9a4b04fac4fb145739934ba48f03835a83bf93292b25bffdbed38",
    ]


@pytest.mark.skipif(find_spec("timm") is None, reason="its version is needed")
def test_a_class_of_timm_is_told_by_its_name_and_arguments() -> None:
    """Not by its files: these classes have none."""
    one, other = (type(name, (), {"__module__": "timm.models.net", "__call__": lambda self: 0}) for name in "ab")
    values = (one, other, partial(one, dropout=0.1), partial(one, dropout=0.2))
    sources = [source_of_code(value) for value in (*values, *values)]
    assert len(set(sources)) == 4 and sources[:4] == sources[4:]


def test_what_is_ours_has_no_source(tmp_path: Path) -> None:
    assert spec().sources == () and "sources" not in spec().record()
    Catalogue([plugin(tmp_path, NETWORK + UPDATE)])
    assert spec().record() == {n: v for n, v in spec().record().items() if n != "sources"}
    trial = spec(model="net", optimizer="sign", schedule="linear", lr=0.1)
    assert [name for name, _ in trial.sources] == ["model", "optimizer", "schedule"]
    assert trial.record()["sources"] == dict(trial.sources)
    assert all(len(source) == 64 for source in trial.record()["sources"].values())


def test_an_edited_file_replaces_its_rows(tmp_path: Path) -> None:
    Catalogue([plugin(tmp_path, UPDATE)])
    before = spec(schedule="linear").run_key
    Catalogue([plugin(tmp_path, UPDATE.replace("1 - step / steps", "0.5").replace('{"sign": Sign}', "{}"))])
    assert "sign" not in UPDATES and SCHEDULES["linear"].factor(None, 9, 10, 0) == 0.5
    assert spec(schedule="linear").run_key != before


def test_a_name_that_is_taken_changes_nothing(tmp_path: Path) -> None:
    Catalogue([plugin(tmp_path, UPDATE)])
    other = plugin(tmp_path, UPDATE.replace('"sign"', '"other"'), "other.py")
    with pytest.raises(ValueError) as error:
        Catalogue([other])
    assert str(error.value) == f"plug-in {other!r}: schedule 'linear': must be a name not yet taken"
    assert "other" not in UPDATES and "sign" in UPDATES
    with pytest.raises(ValueError, match=r"model 'resnet20': must be a name not yet taken"):
        Catalogue([plugin(tmp_path, NETWORK.replace('"net"', '"resnet20"'), "third.py")])
    assert MODELS["resnet20"].build == "bench.models.resnet:resnet20"


def test_a_worker_refuses_other_code_by_name(tmp_path: Path) -> None:
    Catalogue([plugin(tmp_path, UPDATE)])
    trial = spec(optimizer="sign", lr=0.1)
    (row,) = outside.rows_from_outside([trial])
    check_sources(trial.values(), trial.sources)
    _forget()
    with pytest.raises(
        ValueError, match=r"optimizer 'sign': its source must be that of the trial, [0-9a-f]{12}…; here"
    ):
        check_sources(trial.values(), trial.sources)
    take([row])
    check_sources(trial.values(), trial.sources)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "MODELS = {'m': 3}",
            "model 'm' of plug-in {}: int: must be a ModelRow, or a function or class called with the",
        ),
        ("from torch import nn\nMODELS = {'m': nn.Linear(2, 2)}", "a network: must be what makes a new one"),
        ("def f(): pass\nMODELS = {'m': f}", "f(): must be a ModelRow, or a function or class called with"),
        (
            "def f(a): pass\nOPTIMIZERS = {'m': f}",
            "f(a): must be an OptimizerRow, or a function or class called with spec",
        ),
        ("def f(a): pass\nSCHEDULES = {'m': f}", "f(a): must be a ScheduleRow"),
        ("MODELS = {'a:b': int}", "its name must be 1 to 100 characters, none of , : | and no space at its ends"),
        ("MODELS = {}\nOPTIMIZERS = 3", "OPTIMIZERS is int: must be a dict of name -> row"),
        (
            "import os\ndef f(classes):\n    return os.environ['A']\nMODELS = {'m': f}",
            "such code must not depend on it",
        ),
        ("import random\nR = random.Random(1)\ndef f(classes):\n    return R\nMODELS = {'m': f}", "no key can be made"),
        (
            "from bench.trial.schedules import ScheduleRow\n"
            "SCHEDULES = {'m': ScheduleRow(words='m', factor=lambda *a: 1.0, fields=('lr',))}",
            "field lr: must be one of gamma, milestones",
        ),
    ],
)
def test_what_is_none_is_refused_in_one_line(tmp_path: Path, source: str, said: str) -> None:
    file = plugin(tmp_path, source)
    with pytest.raises(ValueError) as error:
        Catalogue([file])
    assert said.format(file) in str(error.value) and "\n" not in str(error.value)
    assert not outside._rows


def test_an_installed_package_is_imported_only_for_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bench.models]\nwide = own_nets:Net\n")
    (tmp_path / "own_nets.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    take_installed({"model": "resnet20", "optimizer": "sgd"})
    assert "own_nets" not in sys.modules and "wide" not in MODELS
    take_installed({"model": "wide"})
    assert MODELS["wide"].build is sys.modules["own_nets"].Net
    monkeypatch.delitem(sys.modules, "own_nets")


def test_two_entry_points_of_one_value_are_two_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bench.models]\nbroad = own_nets:Net\nwide = own_nets:Net\n")
    (tmp_path / "own_nets.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("wide", "broad"):
        take_installed({"model": name})
    assert MODELS["wide"].build is MODELS["broad"].build is sys.modules["own_nets"].Net
    assert [outside.origin_of("MODELS", name) for name in ("wide", "broad")] == [
        "bench.models: wide", "bench.models: broad"
    ]  # fmt: skip
    monkeypatch.delitem(sys.modules, "own_nets")
