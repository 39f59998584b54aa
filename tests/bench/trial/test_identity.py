"""Two methods that can choose different weights have two run keys, or are refused in one line."""

from __future__ import annotations

import hashlib
import importlib
import linecache
import pickle
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ray import cloudpickle

from bench.methods import METHODS, Method
from bench.trial.plugins import Catalogue
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

HEAD = """import functools, math, os, sys, types
from dataclasses import InitVar, dataclass, field
import torch
from bench.methods import GraSP, Method
"""
SCORE = "def score(model, batches, loss, generator{}):\n    return {{n: abs(w) ** {} for n, w in model.items()}}\n"
MINE = "METHODS = {'mine': Method(criterion=score, background='freeze')}\n"
HELPERS = "import os, torch\nP = 1\nCFG = {}\nVARYING = float(os.environ['POWER'])\n"
BAND = """@dataclass(frozen=True, kw_only=True)
class Band(Method):
    criterion: str = "none"
    background: str = "freeze"
    {}
    def select(self, model, batches, loss, rate, generator):
        return {{}}
"""


def indented(lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines.splitlines())


def run_key(method: Method) -> str:
    return TrialSpec(
        method=method, rate=Decimal("0.9"), dataset="small", data_hash="0", model="lenet-300-100", seed=0, epochs=1
    ).run_key


def row(criterion: str) -> str:
    """The line of a loop over p that registers a criterion."""
    return f"METHODS[f'mine-{{p}}'] = Method(criterion={criterion}, background='freeze')\n"


Load = Callable[..., Catalogue]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes a plug-in and the files beside it, and loads it as a new process would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def loaded(lines: str, **others: str) -> Catalogue:
        for name, content in {"mine": HEAD + lines, **others}.items():
            (tmp_path / f"{name}.py").write_text(content)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return Catalogue(["mine.py"])

    return loaded


def keys(catalogue: Catalogue) -> list[str]:
    return [run_key(catalogue[name]) for name in catalogue if name not in METHODS]


GOLDEN = """from dataclasses import dataclass

from bench.methods import Method

POWER = 2


def score(model, batches, loss, generator, *, floor=0.0):
    return {name: w.abs() ** POWER + floor for name, w in model.items()}


@dataclass(frozen=True, kw_only=True)
class Band(Method):
    start: int = 0
    width: float = 0.5

    def select(self, model, batches, loss, rate, generator):
        return {}


METHODS = {"mine": Method(criterion=score, background="freeze"), "band": Band(background="prune", criterion="none")}
"""


def test_golden_run_keys_of_a_plug_in(tmp_path: Path) -> None:
    """Of the first version. If they move, every trial of every plug-in would be trained again."""
    (tmp_path / "mine.py").write_text(GOLDEN)
    catalogue = Catalogue([str(tmp_path / "mine.py")])
    golden = {
        "mine": "c4cbfe7bca357a8b3a286d7946fd47cacdf2a932e384104508d1f35d1ebeec9b",
        "band": "49e5d954f3c6870d57deb05cad66a17aeb4aaff53e4966a6d573f5a958ad7609",
        "band:start=3:width=2": "d5536453cbafe7b189ea11d1af52787b36d0098ca5796f46c7158f86142a4933",
    }
    assert {name: run_key(catalogue.parse(name)[1]) for name in golden} == golden


@pytest.mark.parametrize(
    "lines",
    [
        SCORE.format(", p=2.0, *, q=-1, r=(1, 2), t=torch.float32, u=math.pi", "p") + MINE,
        "K = 2 * 3\nEPS: float = 1e-8\nA, B = 1, 2\n" + SCORE.format("", "K * EPS * A") + MINE,
        "T = torch.linspace(0, 1, 5)\nL = [x**2 for x in range(5)]\nD = dict(a=1)\nSEEN = []\n"
        + SCORE.format("", "T[0] + L[2] + D['a'] + len(SEEN)")
        + MINE,
        "def helper(w, p=2):\n    return w ** p\n"
        "square = functools.partial(helper, p=2)\ncube = lambda w: w ** 3\n"
        "@functools.lru_cache\ndef cached(x):\n    return x\n"
        "@torch.no_grad()\ndef without(w):\n    return w\n"
        + SCORE.format("", "square(cube(cached(without(1))))")
        + MINE,
        "def compute(n):\n    return sum(range(n))\nclass Net(torch.nn.Module):\n    P = 3\n"
        "K = compute(5)\nNET = Net()\n" + SCORE.format("", "K * NET.P * Net.P") + MINE,
        "import helpers\n".replace("helpers", "json") + "data = os.getcwd()\n" + SCORE.format("", "w.data") + MINE,
        "import time\nfrom scipy.constants import c\n" + SCORE.format("", "c * time.time()") + MINE,
        BAND.format(
            "start: int = 0\n    pair: tuple = (1, 2.5)\n    K = 3\n    NAMES = ('a', 'b')\n"
            "    def __post_init__(self):\n        super().__post_init__()\n"
            "        object.__setattr__(self, 'double', torch.tensor([self.start * 2]))\n"
            "    @functools.cached_property\n    def third(self):\n        return self.K"
        )
        + "METHODS = {'mine': Band(start=2)}\n",
        "@dataclass(frozen=True, kw_only=True, slots=True)\nclass Mine(GraSP):\n    extra: float = 0.5\n"
        "    def parameters(self):\n        return {'temperature': self.temperature * self.extra}\n"
        "METHODS = {'mine': Mine()}\n",
        "METHODS = {}\nfor p in ('freeze', 'prune'):\n    pass\n" + SCORE.format("", "2") + MINE,
        "from pathlib import Path\nHERE = Path(__file__).resolve().parent / os.path.dirname(__file__)\n"
        "DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')\nOLD = sys.version_info < (3, 12)\n"
        "CORES = os.cpu_count()\n" + SCORE.format("", "(HERE, DEVICE, OLD, CORES)") + MINE,
        "import json, threading, argparse\nA = argparse.Namespace(a=1)\nLOCK = threading.Lock()\nJ = json.loads('1')\n"
        "from typing import NamedTuple, overload\nclass S(NamedTuple):\n    a: int = 1\nX = S()\n"
        "@overload\ndef f(x: int): ...\ndef f(x): return x\ng = f\n" + SCORE.format("", "(A, LOCK, J, X, f, g)") + MINE,
        "from tqdm import tqdm\nimport numpy as np, random\nnoise = lambda p: torch.rand_like(p)\n"
        "def noisy(p, s): return random.random()\nn1 = functools.partial(noisy, s=1)\nT = {'a': noise, 'b': noisy}\n"
        "class Scorer:\n    def f(self, p, g: np.random.RandomState):\n        return tqdm(torch.rand_like(p))\n"
        "SC = Scorer()\n" + SCORE.format("", "(noise, n1, T, SC)") + MINE,
        "def timed(f):\n    @functools.wraps(f)\n    def g(*a):\n        return f(*a), os.times()\n    return g\n"
        "@timed\ndef h(p): return p\ndef make(k):\n    def g(p): return p * k\n    return g\nM = make(2)\n"
        + SCORE.format("", "h(M(1))")
        + MINE,
        "def f0(): return 1\ndef f1(): return 1\n"
        + "".join(f"def f{i}(): return f{i - 1}() + f{i - 2}()\n" for i in range(2, 60))
        + "K = [f59]\nL0 = 0\n"
        + "".join(f"L{i} = L{i - 1} + 1\n" for i in range(1, 700))
        + SCORE.format("", "(K, L699)")
        + MINE,
    ],
)
def test_what_follows_from_one_file_is_identified_by_its_bytes(lines: str, load: Load, tmp_path: Path) -> None:
    """As before there was more to identify: these keys must not move."""
    method = load(lines)["mine"]
    assert method.record()["source"] == hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "lines",
    [
        "METHODS = {}\nfor p in (1, 2, 3):\n" + indented(SCORE.format(", p=p", "p") + row("score")),
        "def made(p):\n" + indented(SCORE.format(", p=p", "p") + "return score")
        + "METHODS = {}\nfor p in (1, 2):\n    " + row("made(p)"),
        "def made(p):\n" + indented(SCORE.format(", *, p=p", "p") + "return score")
        + "METHODS = {}\nfor p in (1, 2):\n    " + row("made(p)"),
        SCORE.format("", 1) + "METHODS = {'mine-1': Method(criterion=score, background='freeze')}\n"
        + SCORE.format("", 2) + "METHODS['mine-2'] = Method(criterion=score, background='freeze')\n",
        "def made(p):\n    if p == 1:\n" + indented(indented(SCORE.format("", 1))) + "    else:\n"
        + indented(indented(SCORE.format("", 2))) + "    return score\n"
        "METHODS = {}\nfor p in (1, 2):\n    " + row("made(p)"),
        SCORE.format(", p=1", "p") + "METHODS = {}\nfor p in (1, 2):\n    "
        + row("types.FunctionType(score.__code__, globals(), 'score', (p,))"),
        SCORE.format("", "P") + "METHODS = {}\nfor p in (1, 2):\n    "
        + row("types.FunctionType(score.__code__, {**globals(), 'P': p}, 'score')"),
        BAND.format("") + "METHODS = {f'mine-{k}': type('Sub', (Band,), {'K': k})() for k in (1, 2)}\n",
        "def made(k):\n" + indented(BAND.format("K = k") + "return Band")
        + "METHODS = {f'mine-{k}': made(k)() for k in (1, 2)}\n",
        SCORE.format("", 1).replace("score", "snip") + "snip.__module__ = 'bench.methods.criteria'\n"
        "METHODS = {f'mine-{i}': Method(criterion=c, scope='uniform', background='freeze')"
        " for i, c in enumerate((snip, 'snip'))}\n",
    ],
)  # fmt: skip
def test_methods_of_one_file_that_differ_have_keys_that_differ(lines: str, load: Load) -> None:
    found = keys(load(lines))
    assert len(found) >= 2 and len(set(found)) == len(found)


@pytest.mark.parametrize(
    "lines",
    [
        "P = float(os.environ['POWER'])\n" + SCORE.format("", "P") + MINE,
        SCORE.format(", p=float(os.environ['POWER'])", "p") + MINE,
        "def power(w, p=float(os.environ['POWER'])):\n    return w ** p\n" + SCORE.format("", "power(2)") + MINE,
        "C = {'p': 1}\nC.update(p=float(os.environ['POWER']))\n" + SCORE.format("", "C['p']") + MINE,
        "C = {'p': 1}\nC['p'] = float(os.environ['POWER'])\n" + SCORE.format("", "C['p']") + MINE,
        "P = 1\ndef setup():\n    global P\n    P = float(os.environ['POWER'])\nsetup()\n"
        + SCORE.format("", "P") + MINE,
        "P = 1\nglobals()['P'] = float(os.environ['POWER'])\n" + SCORE.format("", "P") + MINE,
        "import helpers\nhelpers.P = float(os.environ['POWER'])\n" + SCORE.format("", "helpers.P") + MINE,
        "from helpers import *\n" + SCORE.format("", "VARYING") + MINE,
        "import helpers\n" + SCORE.format("", "h.VARYING").replace("    return", "    h = helpers\n    return") + MINE,
        "if os.environ['POWER'] == '1':\n" + indented(SCORE.format("", 1)) + "else:\n"
        + indented(SCORE.format("", 2)) + MINE,
        "class H:\n    P = float(os.environ['POWER'])\n" + SCORE.format("", "H.P") + MINE,
        "C = {}\ndef load():\n    C['a'] = float(os.environ['POWER'])\nload()\n" + SCORE.format("", "C['a']") + MINE,
        "C = {}\ndef load():\n    C['a'] = os.environ['POWER']\nload()\nK = C['a']\n" + SCORE.format("", "K") + MINE,
        "L = []\ndef load():\n    L.append(os.environ['POWER'])\nload()\n" + SCORE.format("", "L") + MINE,
        "class O: pass\nC = O()\nsetattr(C, 'a', os.environ['POWER'])\n" + SCORE.format("", "C.a") + MINE,
        "class O: pass\nC = O()\ndef set(c): c.a = os.environ['POWER']\nset(C)\n" + SCORE.format("", "C.a") + MINE,
        "import helpers\nhelpers.CFG.update(a=os.environ['POWER'])\n" + SCORE.format("", "helpers.CFG") + MINE,
        "from helpers import CFG\nCFG.update(a=os.environ['POWER'])\n" + SCORE.format("", "CFG") + MINE,
        "import helpers\nhelpers.T = torch.tensor(int(os.environ['POWER']))\n" + SCORE.format("", "helpers.T") + MINE,
        "import helpers\n" + SCORE.format("", "getattr(helpers, 'VARYING')") + MINE,
        "class O:\n    t = None\nO.t = torch.tensor(int(os.environ['POWER']))\n" + SCORE.format("", "O.t") + MINE,
        "class O:\n    _t = None\nO._t = os.environ['POWER']\n" + SCORE.format("", "O._t") + MINE,
        "def helper(): pass\nhelper.k = os.environ['POWER']\n" + SCORE.format("", "helper.k") + MINE,
        "P = os.environ['POWER']\nclass B:\n    def f(self): return P\nclass D(B): pass\n"
        + SCORE.format("", "D().f()") + MINE,
        "P = os.environ['POWER']\nclass B:\n    class C:\n        def f(self): return P\n"
        + SCORE.format("", "B.C().f()") + MINE,
        "P = os.environ['POWER']\nT = {'f': lambda p: p * P}\n" + SCORE.format("", "T['f'](1)") + MINE,
        "import random\nrandom.seed(int(os.environ['POWER']))\nO = list(range(9))\nrandom.shuffle(O)\n"
        + SCORE.format("", "O") + MINE,
        "torch.manual_seed(int(os.environ['POWER']))\nN = torch.nn.Linear(3, 3)\n" + SCORE.format("", "N") + MINE,
        "def made(p):\n    return lambda w: w ** p\nP = made(float(os.environ['POWER']))\n"
        + SCORE.format("", "P(2)") + MINE,
        BAND.format("") + "if os.environ['POWER'] == '1':\n    Band.select = lambda self, *a: {}\nelse:\n"
        "    Band.select = lambda self, *a: {0}\nMETHODS = {'mine': Band()}\n",
        BAND.format("K = os.environ['POWER']") + "METHODS = {'mine': Band()}\n",
        BAND.format("K = 1") + "Band.K = os.environ['POWER']\nMETHODS = {'mine': Band()}\n",
    ],
)  # fmt: skip
def test_a_value_that_does_not_follow_from_the_source_is_part_of_the_key(
    lines: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for power in ("1", "2", "1"):
        monkeypatch.setenv("POWER", power)
        found += keys(load(lines, helpers=HELPERS))
    assert found[0] != found[1] and found[0] == found[2]


def test_the_state_is_in_no_order_of_the_bytecode(load: Load, tmp_path: Path) -> None:
    """Python 3.12 compiles a comprehension into its function, 3.11 does not."""
    lines = "B = float('2')\nB += 0\nA = float('1')\nA += 0\n" + SCORE.format("", "A * B").replace("{{", "{")
    method = load(lines.replace("    return", "    x = B\n    return") + MINE)["mine"]
    content = (tmp_path / "mine.py").read_bytes() + b'\x00[["A",1.0],["B",2.0]]'
    assert method.record()["source"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("value", [
    "{'a', 'b'} | {1}", "torch.zeros(3)", "np.zeros(3)", "defaultdict(list)", "argparse.Namespace(b=HERE)",
    "Path(HERE) / 'x'", "os.path.join(HERE, 'x')", "O()", "torch.nn.Linear(2, 2)", "torch.nn.CrossEntropyLoss()",
    "torch.float32", "torch.device('cpu')", "Decimal(1)", "functools.partial(f, 1)", "(lambda x: x)", "E.A",
    "[f, len, np.exp]", "re.compile('x')",
    "threading.Lock()", "O().bound", "b'x'", "1j", "float('nan')", "np.float32(3)",
])  # fmt: skip
def test_what_is_set_twice_is_described_the_same_in_every_folder(value: str, tmp_path: Path) -> None:
    """Nothing that a researcher writes is refused for being more than a number."""
    lines = (
        "import argparse, enum, re, threading\nimport numpy as np\nfrom collections import defaultdict\n"
        "from decimal import Decimal\nfrom pathlib import Path\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
        "def f(x): pass\nclass E(enum.Enum): A = 1\nclass O:\n    def __init__(self): self.x = {HERE}\n"
        "    def bound(self): pass\ntorch.manual_seed(0)\nV = None\nV = "
    )
    found = []
    for number, of_value in enumerate((value, value, "'another'")):
        file = tmp_path / str(number) / f"mine{number}.py"
        file.parent.mkdir()
        file.write_text(f"{HEAD}{lines}{of_value}\n" + SCORE.format("", "V") + MINE)
        found += [Catalogue([str(file)])["mine"].record()["source"]]
        assert found[-1] != hashlib.sha256(file.read_bytes()).hexdigest()
    assert found[0] == found[1] != found[2]


def test_what_a_criterion_changes_when_it_is_called_moves_no_key(load: Load) -> None:
    lines = "N = 0\nSEEN = []\ndef score(*a, k=1):\n    global N\n    N += 1\n    SEEN.append(N)\n"
    catalogue = load(lines + BAND.format("k: int = 1") + "METHODS = {'mine': Band(criterion=score)}\n")
    before = run_key(catalogue.parse("mine:k=2")[1])
    catalogue["mine"].criterion()  # type: ignore[operator,call-arg]
    assert run_key(catalogue.parse("mine:k=2")[1]) == before
    assert sys.modules[catalogue["mine"].criterion.__module__].N == 1  # type: ignore[union-attr]


def test_nothing_is_imported_to_identify_a_method(load: Load) -> None:
    lines = SCORE.format("", "P").replace("    return", "    from helpers import P\n    return")
    assert load(lines + MINE, helpers="P = 1\n")["mine"].record()["source"]
    assert "helpers" not in sys.modules


def asserting(model: Any, *others: Any) -> Any:
    """As pytest compiles it, it is not what this file says."""
    assert model is not None
    return {}


def test_a_criterion_in_a_test_file() -> None:
    source = Method(criterion=asserting, background="freeze").record()["source"]
    assert source == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_an_attribute_is_compared_without_its_address(load: Load) -> None:
    init = "    def __post_init__(self):\n        vars(self)['rng'] = np.random.RandomState(self.k)"
    lines = "import numpy as np\n" + BAND.format(f"k: int = 1\n{init}")
    assert load(lines + "METHODS = {'mine': Band()}\n")["mine"].record()["k"] == 1


@pytest.mark.parametrize(
    "lines",
    [
        "from helpers import P\n" + SCORE.format("", "P") + MINE,
        "import helpers\n" + SCORE.format("", "helpers.P") + MINE,
        SCORE.format("", "helpers.P").replace("    return", "    import helpers\n    return") + MINE,
        BAND.format("").replace("return {}", "from helpers import P; return P") + "METHODS = {'mine': Band()}\n",
    ],
)
def test_the_users_files_that_it_imports_are_part_of_the_key(lines: str, load: Load) -> None:
    found = [
        keys(load(lines, helpers=helpers, deeper=deeper))[0]
        for helpers, deeper in (("from deeper import P\n", "P = 1"), ("from deeper import P\n", "P = 2"), ("P = 1", ""))
    ]
    assert len(set(found)) == 3


NO_FUNCTION = (
    "criterion {}: must be a named function that captures no variables, without decorator or attributes; parameters"
    " are fields of the method"
)
NO_KEY = (
    "{} of mine.py is a {}, of which no key can be made: what a method reads must follow from its source, or be data;"
    " make it a field, or compute it inside the function"
)
VOLATILE = "{} of mine.py comes from {}: every process has another; make it a field, or compute it inside the function"
LAZY = (
    "VARYING of helpers.py depends on os.environ, and score of mine.py imports it only when it runs: import it at the"
    " top of the file"
)
CLASS = """class C:
    def __init__(self, p):
        functools.update_wrapper(self, score)
        self.p = p
    def __call__(self, *a):
        return {n: s ** self.p for n, s in score(*a).items()}
    def bound(self, *a):
        return self(*a)
"""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (SCORE.format("", 1) + MINE.replace("=score", "=functools.partial(score)"), NO_FUNCTION.format("partial")),
        (SCORE.format("", 1) + CLASS + MINE.replace("=score", "=C(1)"), NO_FUNCTION.format("score")),
        (SCORE.format("", 1) + CLASS + MINE.replace("=score", "=C(1).bound"), NO_FUNCTION.format("C.bound")),
        (CLASS + MINE.replace("=score", "=C"), NO_FUNCTION.format("C")),
        (MINE.replace("=score", "=len"), NO_FUNCTION.format("len")),
        (SCORE.format("", 1) + "score.p = 3\n" + MINE, NO_FUNCTION.format("score")),
        (SCORE.format("", 1) + "score.__qualname__ = 'other'\n" + MINE, NO_FUNCTION.format("other")),
        ("@torch.no_grad()\n" + SCORE.format("", 1) + MINE, NO_FUNCTION.format("score")),
        (
            "from bench.methods.criteria import snip\n@functools.wraps(snip)\ndef score(*a):\n    return snip(*a)\n"
            + MINE,
            NO_FUNCTION.format("snip"),
        ),
        (
            "exec('def score(*a): return {}')\n" + MINE,
            "score has no source: must be defined in a file or in the cell of a notebook",
        ),
        (
            "P = torch.Generator()\nP.manual_seed(os.getppid())\n" + SCORE.format("", "P") + MINE,
            NO_KEY.format("P", "Generator"),
        ),
        ("import time\nP = time.time()\n" + SCORE.format("", "P") + MINE, VOLATILE.format("P", "time")),
        ("import uuid\nP = str(uuid.uuid4())\n" + SCORE.format("", "P") + MINE, VOLATILE.format("P", "uuid")),
        (
            "from tempfile import mkdtemp\nP = mkdtemp()\n" + SCORE.format("", "P") + MINE,
            VOLATILE.format("P", "tempfile"),
        ),
        ("P = tuple({'a', 'b'})\n" + SCORE.format("", "P") + MINE, VOLATILE.format("P", "the order of a set")),
        (
            "def made(p):\n    return lambda w: w ** p\nP = made(os.getpid())\n" + SCORE.format("", "P(2)") + MINE,
            VOLATILE.format("P", "os.getpid"),
        ),
        (SCORE.format("", "VARYING").replace("    return", "    from helpers import VARYING\n    return") + MINE, LAZY),
        (SCORE.format("", "h.VARYING").replace("    return", "    import helpers as h\n    return") + MINE, LAZY),
        (
            "import importlib\n" + SCORE.format("", "importlib.import_module('helpers').VARYING") + MINE,
            LAZY,
        ),
        (
            SCORE.format("", "getattr(os, 'environ')") + MINE,
            "environ is read by score of mine.py: what a method depends on must be its fields",
        ),
        (
            SCORE.format("", "float(os.environ['POWER'])") + MINE,
            "environ is read by score of mine.py: what a method depends on must be its fields",
        ),
        (
            BAND.format("") + "METHODS = {'mine': Band()}\nobject.__setattr__(METHODS['mine'], 'power', 3)\n",
            "power 3 of Band: must be a field, or follow from the fields",
        ),
        (
            BAND.format("k: InitVar[int] = 1\n    def __post_init__(self, k):\n        vars(self)['power'] = k")
            + "METHODS = {'mine': Band(k=2)}\n",
            "power 2 of Band: must be a field, or follow from the fields",
        ),
        (
            BAND.format("def record(self):\n        return {}") + "METHODS = {'mine': Band()}\n",
            "Band.record: must be Method's own, since the run key is made of it",
        ),
        (
            BAND.format("source: str = 'web'") + "METHODS = {'mine': Band()}\n",
            "field source of Band: must have another name; Method has one",
        ),
        (
            BAND.format("k: int = field(default=1, compare=False)") + "METHODS = {'mine': Band()}\n",
            "Band: every field must be compared, without eq=False or compare=False",
        ),
        (
            BAND.format("").partition("\n")[2] + "METHODS = {'mine': Band(criterion='none', background='freeze')}\n",
            "Band: must be decorated with @dataclass(frozen=True, kw_only=True), or its criterion is no field",
        ),
        (
            BAND.format("def __post_init__(self):\n        pass") + "METHODS = {'mine': Band(scope='layer')}\n",
            "scope 'layer': must be one of global, uniform, er, erk, filter",
        ),
        (
            "from bench.methods.criteria import CRITERIA\nCRITERIA['mine'] = len\n",
            "TypeError: 'mappingproxy' object does not support item assignment",
        ),
    ],
)
def test_what_no_key_can_tell_is_refused(lines: str, said: str, load: Load) -> None:
    with pytest.raises(ValueError) as error:
        load(lines, helpers=HELPERS)
    prefix = (
        "plug-in 'mine.py': "
        if "named function" in said or "TypeError" in said
        else "method 'mine' of plug-in mine.py: "
    )
    assert str(error.value).replace("ValueError: ", "") == prefix + said


def test_a_subclass_that_leaves_the_check_out_is_checked(load: Load) -> None:
    skips = "\n    def __post_init__(self):\n        pass"
    found = [keys(load(BAND.format(f"K = {k}{skips}") + "METHODS = {'mine': Band()}\n"))[0] for k in (1, 2)]
    assert found[0] != found[1]


def test_a_file_that_was_edited_after_its_import(load: Load, tmp_path: Path) -> None:
    load(SCORE.format("", 1) + MINE)
    module = importlib.import_module("mine")
    (tmp_path / "mine.py").write_text(HEAD + SCORE.format("", 2) + MINE)
    with pytest.raises(ValueError, match=r"score is not what mine\.py defines: must be as its source says"):
        Method(criterion=module.score, background="freeze").record()


def cell(number: int, lines: str, namespace: dict[str, Any]) -> None:
    """Run a cell of a notebook."""
    name = f"<cell {number}>"
    linecache.cache[name] = (len(lines), None, lines.splitlines(True), name)
    exec(compile(lines, name, "exec"), namespace)


def test_cells_of_a_notebook_are_part_of_the_key() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(HEAD, namespace)
    found = []
    for number, (factor, body) in enumerate([(1, "scale(w)"), (2, "scale(w)"), (2, "scale(w) * 2"), (1, "scale(w)")]):
        cell(2 * number, f"def scale(w):\n    return w * {factor}\n", namespace)
        cell(2 * number + 1, f"def score(model, *a):\n    return {{n: {body} for n, w in model.items()}}\n", namespace)
        found.append(run_key(Method(criterion=namespace["score"], background="freeze")))
    assert len(set(found)) == 3 and found[0] == found[3]


@pytest.mark.parametrize("value", [
    "torch.relu", "math.sqrt", "torch.float32", "torch.device('cpu')", "torch.tensor(1e-8)", "{1, 2}", "dict(a=[1])",
    "functools.partial(print, 1)", "lambda p: p", "torch.nn.CrossEntropyLoss()", "O()", "torch.no_grad()(len)",
])  # fmt: skip
def test_what_a_cell_of_a_notebook_may_hold(value: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cell(300, f"{HEAD}class O: pass\nV = {value}\n", namespace)
    cell(301, SCORE.format("", "V"), namespace)
    first = run_key(Method(criterion=namespace["score"], background="freeze"))
    cell(302, "V = 'another'\n", namespace)
    assert run_key(Method(criterion=namespace["score"], background="freeze")) != first


def test_a_method_of_a_notebook_is_identified_again_for_a_sweep() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cell(310, HEAD + "K = 3\n", namespace)
    cell(311, SCORE.format("", "K"), namespace)
    mine = Method(criterion=namespace["score"], background="freeze")
    sources = []
    for k in (3, 5, 3):
        cell(312, f"K = {k}\n", namespace)
        Sweep(methods={"mine": mine}, rates=[], seeds=[], dense=False, classes=10, protocol={})
        sources.append(mine.record()["source"])
    assert sources[0] == sources[2] != sources[1]


def test_a_class_of_a_notebook() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(HEAD, namespace)
    found = []
    for number, k in enumerate((1, 2, 1)):
        cell(100 + number, BAND.format(f"K = {k}"), namespace)
        found.append(run_key(namespace["Band"]()))
    assert found[0] != found[1] and found[0] == found[2]


def test_two_files_of_one_name_and_a_worker(tmp_path: Path) -> None:
    for p in (1, 2):
        (tmp_path / f"{p}").mkdir()
        (tmp_path / f"{p}" / "mine.py").write_text(HEAD + SCORE.format("", p) + MINE.replace("mine", f"mine-{p}"))
    catalogue = Catalogue([str(tmp_path / f"{p}" / "mine.py") for p in (1, 2)])
    methods = [catalogue[f"mine-{p}"] for p in (1, 2)]
    assert len({m.criterion.__module__ for m in methods}) == 2  # type: ignore[union-attr]
    for p, method in enumerate(methods, 1):
        cloudpickle.register_pickle_by_value(sys.modules[method.criterion.__module__])  # type: ignore[union-attr]
        again = pickle.loads(cloudpickle.dumps(method))
        assert again.criterion({"w": 3}, 0, 0, 0) == {"w": 3**p}
        assert run_key(again) == run_key(method)


@pytest.mark.parametrize("value", [
    "[1]", "{'a': 1}", "E.A", "I.A", "S.A", "Decimal(1)", "Fraction(1, 2)", "torch.float32", "torch.ones(2)",
    "Path('x')",
    "float('nan')", "float('-inf')", "np.int64(3)", "np.float32(0.5)", "np.bool_(True)", "b'x'", "frozenset({1})", "1j",
    "([1],)", "(1, float('nan'))", "'\\ud800'", "'a\\0b'", "len", "T('x')",
])  # fmt: skip
def test_a_field_must_be_a_value_that_json_keeps(value: str, load: Load) -> None:
    lines = (
        "import enum\nimport numpy as np\nfrom decimal import Decimal\nfrom fractions import Fraction\n"
        "from pathlib import Path\nfrom typing import Any\nclass E(enum.Enum): A = 1\nclass I(enum.IntEnum): A = 1\n"
        "class S(enum.StrEnum): A = 'x'\nclass T(str): pass\n"
    )
    with pytest.raises(ValueError) as error:
        load(lines + BAND.format("k: Any = None") + f"METHODS = {{'mine': Band(k={value})}}\n")
    words = " of Band: must be text, a finite number, true or false, None or a tuple of these, not "
    assert str(error.value).startswith("method 'mine' of plug-in mine.py: k ")
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["'x' * 20_000", "10**5000", "(1,) * 3000"])
def test_the_fields_must_fit_into_a_store(value: str, load: Load) -> None:
    with pytest.raises(ValueError, match="fields of Band: must be at most 4000 characters together"):
        load(BAND.format("k: tuple = ()") + f"METHODS = {{'mine': Band(k={value})}}\n")


def test_equal_numbers_of_two_types_are_two_methods_and_minus_zero_is_zero(load: Load) -> None:
    lines = "import numpy as np\n" + BAND.format("k: float = 0.5")
    values = ["0.0", "-0.0", "1", "1.0", "True", "np.float64(0.5)", "0.5", "None", "(1, 'a')"]
    rows = ", ".join(f"'mine-{i}': Band(k={value})" for i, value in enumerate(values))
    catalogue = load(lines + f"METHODS = {{{rows}}}\n")
    found = dict(zip(values, keys(catalogue), strict=True))
    assert found["0.0"] == found["-0.0"] and found["0.5"] == found["np.float64(0.5)"]
    assert len(set(found.values())) == 7
    assert catalogue.parse("mine-2")[0] == "mine-2" and catalogue.parse("mine-3")[0] == "mine-3"
    both = dict(map(catalogue.parse, ("mine-2", "mine-3")))
    with pytest.raises(ValueError, match=r"methods mine-2 and mine-3: differ as 1 and 1\.0 do; must be one of them"):
        Sweep(methods=both, rates=[], seeds=[], dense=False, classes=10, protocol={})


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("limit=0.5", 0.5), ("limit=2", 2.0), ("limit=none", None), ("n=none", None), ("n=4", 4), ("alpha=0.5", 0.5),
        ("alpha=2", 2), ("on=false", False), ("mode=none", None), ("mode=x", "x"), ("both=3", 3), ("both=x", "x"),
    ],
)  # fmt: skip
def test_a_field_is_set_by_the_types_it_declares(setting: str, expected: object, load: Load) -> None:
    lines = BAND.format(
        "limit: float | None = None\n    n: int | None = 3\n    alpha: float = 1\n    on: bool = True\n"
        "    mode: 'str | None' = 'y'\n    both: int | str = 1\n    pair: tuple = (1,)"
    )
    catalogue = load(lines + "METHODS = {'mine': Band()}\n")
    value = catalogue.parse(f"mine:{setting}")[1].parameters()[setting.partition("=")[0]]
    assert (value, type(value)) == (expected, type(expected))
    for wrong, said in {
        "on=1": "method 'mine:on=1': on '1': must be true or false",
        "n=1.5": "method 'mine:n=1.5': n '1.5': must be none or a whole number",
        "limit=x": "method 'mine:limit=x': limit 'x': must be none or a number",
        "limit=nan": "method 'mine:limit=nan': limit nan of Band: must be text, a finite number, true or false, None"
        " or a tuple of these, not float",
        "pair=1": "method 'mine:pair=1': unknown field 'pair': must be one of criterion, scope, background, scale,"
        " fade, fade_to, fade_until, control, limit, n, alpha, on, mode, both; written field=value",
    }.items():
        with pytest.raises(ValueError) as error:
            catalogue.parse(f"mine:{wrong}")
        assert str(error.value) == said


@pytest.mark.parametrize(
    "name",
    ["''", "3", "None", "'a:b'", "'a,b'", "' a'", "'a '", "'a\\nb'", "'a|b'", "'\\x07'", "'x' * 101", "'\\ud800'"],
)
def test_a_name_must_be_one_that_the_command_line_and_the_tables_can_hold(name: str, load: Load) -> None:
    with pytest.raises(ValueError) as error:
        load(f"METHODS = {{{name}: Method(criterion='snip', scope='uniform', background='freeze')}}\n")
    said = "of plug-in mine.py: its name must be 1 to 100 characters, none of , : | and no space at its ends"
    assert str(error.value).endswith(said) and "\n" not in str(error.value)


def test_names_with_spaces_and_signs_are_taken(load: Load) -> None:
    names = ["a b", "a=b", "größer", "x" * 100, "p(2)", "1e-3", "band[0.5]", "top10%"]
    rows = ", ".join(f"{n!r}: Method(criterion='snip', scope='uniform', background='freeze')" for n in names)
    assert list(load(f"METHODS = {{{rows}}}\n"))[-8:] == names
