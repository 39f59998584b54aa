"""--start on the command line and in Python: files as bases; export, verify, narrow and import of the results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_store
from command_line import called, stored

import bench
from bench import names
from bench.artefact.network_file import header_of, load, open_artefact
from bench.models.initialise import checksum

SHORT = ("--rates", "0.95", "--seeds", "1", "--epochs", "1", "--lr", "0.05", "--executor", "local")
STARTED = ("run", "--methods", "freeze,snip", *SHORT, "--start", "pretrained:digits@7", "--start-epochs", "2")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store: dense, freeze and snip from one base; and their files, by what they are."""
    folder = tmp_path_factory.mktemp("started")
    (folder / "mlflow.db").write_bytes(small_store.empty())
    ran = called(folder, *STARTED)
    assert ran.returncode == 0, ran.stderr
    assert "3 trials: 0 done before, 3 to train, and first 1 trial that they need" in ran.stderr
    for key, trial in stored(folder).items():
        name = "base" if names.BASE_KEY not in trial else trial[names.METHOD]
        exported = called(folder, "export", key[:12], "-o", f"{name}.frz")
        assert exported.returncode == 0
        (folder / f"{name}.said").write_text(exported.stderr)
    return folder


def base_key(store: Path) -> str:
    base = header_of(store / "freeze.frz").base
    assert base is not None
    return base.key


def elsewhere(folder: Path) -> Path:
    """A folder without a store."""
    (folder / "elsewhere").mkdir()
    return folder / "elsewhere"


def test_export_says_which_base_is_needed(store: Path) -> None:
    key, said = base_key(store), {name: (store / f"{name}.said").read_text() for name in ("base", "freeze", "snip")}
    assert (
        f"its frozen weights are those of its base, trial {key[:16]}: "
        f"`python -m bench export {key[:12]} -o base.frz`; `verify --base` takes it" in said["freeze"]
    )
    assert "base" not in said["snip"].replace(str(store), "") and len(said["base"].splitlines()) == 1


def test_verify_finds_the_base_in_the_store(store: Path) -> None:
    size = (store / "base.frz").stat().st_size
    verified = called(store, "verify", "freeze.frz")
    assert verified.returncode == 0, verified.stderr
    lines = {line[:15].strip(): line[15:].strip() for line in verified.stdout.splitlines()}
    assert lines["base"] == f"trial {base_key(store)[:16]}: {size:,} bytes, shared by all that start from it"
    assert lines["base weights"].startswith("equal bit for bit, SHA-256 ")
    assert lines["initial weights"].startswith("reproduced from the base and the seed bit for bit, SHA-256 ")
    pruned = called(store, "verify", "snip.frz")
    assert pruned.returncode == 0 and f"trial {base_key(store)[:16]}: not needed" in pruned.stdout


def test_verify_with_the_base_as_a_file(store: Path, tmp_path: Path) -> None:
    here, key = elsewhere(tmp_path), base_key(store)[:16]
    assert called(here, "verify", f"{store}/freeze.frz", "--base", f"{store}/base.frz").returncode == 0
    alone = called(here, "verify", f"{store}/freeze.frz")
    assert alone.returncode == 1 and list(here.iterdir()) == []
    (line,) = alone.stderr.splitlines()
    assert f"its base, trial {key}, must be given by --base FILE: no store at sqlite:///" in line
    wrong = called(store, "verify", "freeze.frz", "--base", "snip.frz")
    assert wrong.returncode == 1
    assert f"base: must be trial {key} with weights of SHA-256 " in wrong.stderr and "; given is trial " in wrong.stderr
    empty = here / "mlflow.db"
    empty.write_bytes(small_store.empty())
    lacking = called(here, "verify", f"{store}/freeze.frz")
    assert lacking.returncode == 1
    assert f"its base, trial {key}, is not in the store: must be given by --base FILE" in lacking.stderr


def test_narrower_values(store: Path) -> None:
    narrowed = called(store, "narrow", "--value-dtype", "int8")
    assert narrowed.returncode == 0 and "4 networks measured" in narrowed.stderr
    key = next(key for key, trial in stored(store).items() if trial[names.METHOD] == "freeze")
    exported = called(store, "export", key[:12], "-o", "small.frz", "--value-dtype", "int8")
    assert exported.returncode == 0 and "its frozen weights are those of its base" in exported.stderr
    assert called(store, "verify", "small.frz").returncode == 0
    before, after = (open_artefact(store / f"{name}.frz", {base_key(store): (store / "base.frz").read_bytes()})
                     for name in ("freeze", "small"))  # fmt: skip
    dead = ~before.masks["fc1.weight"]
    assert (before.model.state_dict()["fc1.weight"][dead] == after.model.state_dict()["fc1.weight"][dead]).all()


def test_trials_trained_offline_are_imported_with_their_base(store: Path, tmp_path: Path) -> None:
    here = elsewhere(tmp_path)
    (here / "mlflow.db").write_bytes(small_store.empty())
    assert called(here, *STARTED, "--methods", "snip", "--no-dense", "--offline", "trials").returncode == 0
    assert called(here, "import", "trials").returncode == 0
    assert base_key(store) in stored(here) and stored(here).keys() < stored(store).keys()
    assert called(here, "verify", f"{store}/freeze.frz").returncode == 0


@pytest.fixture
def from_file(store: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with a store of its own, and the base as a file."""
    (tmp_path / "mlflow.db").write_bytes(small_store.empty())
    (tmp_path / "given.frz").write_bytes((store / "base.frz").read_bytes())
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def test_a_file_as_the_base(from_file: Path) -> None:
    """What is taken is said once; a renamed file is the same start; Python's words mean the same; verify needs it."""
    command = ("run", "--methods", "freeze", "--no-dense", *SHORT, "--start", "pretrained:given.frz")
    ran = called(from_file, *command)
    assert ran.returncode == 0, ran.stderr
    weights = header_of("given.frz").sha256.weights
    (line,) = (line for line in ran.stderr.splitlines() if line.startswith("start "))
    assert line == f"start given.frz ({weights[:12]}): 4 tensors taken; drawn: fc3.weight, fc3.bias"
    ((key, trial),) = stored(from_file).items()
    assert (trial[names.BASE_KEY], trial[names.BASE_LABEL]) == (weights, "given.frz")
    Path("given.frz").rename("renamed.frz")
    again = called(from_file, *command[:-1], "pretrained:renamed.frz", "--dry-run")
    assert "1 trials: 1 done before, 0 to train" in again.stderr
    words = {"methods": "freeze", "rates": 0.95, "seeds": 1, "epochs": 1, "lr": 0.05, "dense": False, "progress": False}
    comparison = bench.compare(**words, start="pretrained:renamed.frz", store=from_file)
    assert list(comparison.frame["run_key"]) == [key]
    exported = called(from_file, "export", key[:12], "-o", "a.frz")
    assert f"its base, weights of SHA-256 {weights[:16]}: the file that the trial started from" in exported.stderr
    lacking = called(from_file, "verify", "a.frz")
    assert lacking.returncode == 1 and f"its base, weights of SHA-256 {weights[:16]}, is not in" in lacking.stderr
    assert called(from_file, "verify", "a.frz", "--base", "renamed.frz").returncode == 0
    assert checksum(load("a.frz", base="renamed.frz")) == trial[names.WEIGHTS_SHA256]


def test_a_file_that_does_not_fit_trains_nothing(from_file: Path) -> None:
    command = ("run", "--methods", "freeze", *SHORT, "--model", "lenet-5-caffe", "--start", "pretrained:given.frz")
    before = sorted(path.name for path in from_file.iterdir())
    ran = called(from_file, *command)
    assert ran.returncode == 2 and stored(from_file) == {}
    assert "error: start 'given.frz': base " in ran.stderr and "must have no tensor that the network" in ran.stderr
    assert sorted(path.name for path in from_file.iterdir()) == before


def test_python_says_the_same_as_the_command_line(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = {"methods": "freeze,snip", "rates": 0.95, "seeds": 1, "epochs": 1, "lr": 0.05, "progress": False}
    comparison = bench.compare(**words, start="pretrained:digits@7", start_epochs=2, store=store)
    keys = stored(store).keys() - {base_key(store)}
    assert set(comparison.frame["run_key"]) == keys and "trial" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"start": 3}, "start 3: must be a text"),
        ({"start_head": "own"}, "start_head 'own': must be one of redrawn, kept"),
        ({"when": "while"}, "when 'while': must be one of before, after"),
        ({"start_epochs": 0.5}, "start_epochs 0.5: must be a whole number"),
        ({"start_lr": True}, "start_lr True: must be a number"),
        ({"start_epochs": 2}, "start-epochs 2 with start scratch: must be left out"),
        ({"start_norm": "fresh", "when": "after"}, "start-norm fresh with start scratch: must be left out"),
    ],
)
def test_words_of_python_that_are_wrong(words: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        bench.compare(**words, store=tmp_path, progress=False)  # type: ignore[arg-type]
    assert str(error.value).startswith(said) and list(tmp_path.iterdir()) == []


def test_a_config_file_says_the_start(store: Path, tmp_path: Path) -> None:
    printed = called(tmp_path, *STARTED, "--start-head", "kept", "--when", "after", "--print-config")
    assert printed.returncode == 0
    (tmp_path / "sweep.toml").write_text(printed.stdout)
    given = {'start = "pretrained:digits@7"', "start-epochs = 2", 'start-head = "kept"', 'when = "after"'}
    assert given < set(printed.stdout.splitlines())
    again = called(tmp_path, "run", "--config", "sweep.toml", "--print-config")
    assert again.stdout == printed.stdout
    plain = called(store, *STARTED, "--print-config").stdout
    (tmp_path / "plain.toml").write_text(plain)
    assert "3 trials: 3 done before" in called(store, "run", "--config", f"{tmp_path}/plain.toml", "--dry-run").stderr
