"""Config files: what `--print-config` writes is the same sweep, the command line wins, a fault is one line."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, environment
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.cli.arguments import read_sweep
from bench.cli.cli import cli, main
from bench.cli.config.command_text import command_text
from bench.cli.config.config_file import config_options
from bench.cli.config.config_text import config_text
from bench.cli.options import request_of
from bench.cli.presets import PRESETS
from bench.cli.requests.sweep import RunRequest, SweepRequest, TuneRequest
from bench.cli.shell.groups import SECTIONS, GroupedCommand, GroupedOption, grouped_options

FOLDER, NUMBERS = tempfile.TemporaryDirectory(), itertools.count()
REQUESTS: dict[str, type[SweepRequest]] = {"run": RunRequest, "tune": TuneRequest}


def read(command: str, *arguments: str) -> tuple[Any, SweepRequest]:
    """The context and the request of a command line."""
    context = cli.commands[command].make_context(command, [*arguments])
    return context, request_of(REQUESTS[command], context)


def printed(command: str, *arguments: str) -> str:
    context, request = read(command, *arguments)
    with context:
        return config_text(context, request, read_sweep(request))


def keys(command: str, *arguments: str) -> list[str]:
    return [spec.run_key for spec in read_sweep(read(command, *arguments)[1]).trials()]


def saved(text: str) -> str:
    """The path of a file with this text."""
    file = Path(FOLDER.name, f"{next(NUMBERS)}.toml")
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--preset", "snip-cifar10"],
        ["--preset", "grasp-cifar10", "--optimizer", "adam", "--lr", "1e-3"],
        ["--preset", "synflow-cifar100", "--schedule", "cosine", "--no-nesterov"],
        ["--methods", "grasp:temperature=100:scope=erk,dense", "--rates", "0.9:0.999:4,0.1", "--seeds", "7,"],
        ["--rates", "0", "--no-dense", "--seeds", "3:5,9", "--model", "lenet-5-caffe", "--tuned", "lr"],
        ["--schedule", "step", "--milestones", "0.25", "--pack", "vmap", "--step", "dense", "--cpus-per-trial", "2"],
        ["--name", 'a b/"c"', "--executor", "local", "--offline", "é\x7f\\", "--max-retries", "3", "--tuned", ""],
    ],
)
def test_what_is_printed_is_the_same_command(arguments: list[str]) -> None:
    if "--name" in arguments:
        arguments[1] = "a b/c"
    file = saved(text := printed("run", *arguments))
    assert keys("run", "--config", file) == keys("run", *arguments)
    assert printed("run", "--config", file) == text
    before, after = read("run", *arguments)[1], read("run", "--config", file)[1]
    assert isinstance(before, RunRequest) and isinstance(after, RunRequest)
    for name in ("name", "executor", "offline", "max_retries", "tuned", "address", "data_root", "plugins", "storage"):
        assert getattr(after, name) == getattr(before, name)


FLAGS = {
    "--methods": st.sampled_from(["freeze", "snip,grasp", "grasp:temperature=2,random-prune", "dense"]),
    "--rates": st.sampled_from(["0.9", "0.5:0.99", "0.123456,0.9", "0.9:0.99:3", "0"]),
    "--seeds": st.sampled_from(["1", "3", "4:4", "1,7", "2:3,9"]),
    "--dataset": st.sampled_from(["digits", "mnist", "cifar10"]),
    "--preset": st.sampled_from(sorted(PRESETS)),
    "--epochs": st.integers(1, 500).map(str),
    "--batch-size": st.integers(1, 500).map(str),
    "--lr": st.floats(1e-8, 10).map(repr),
    "--momentum": st.floats(0, 0.999).map(repr),
    "--weight-decay": st.floats(0, 1).map(repr),
    "--warmup-epochs": st.floats(0, 1).map(repr),
    "--validation-fraction": st.floats(0.1, 0.5).map(repr),
    "--criterion-per-class": st.integers(1, 20).map(str),
    "--optimizer": st.sampled_from(["sgd", "adam"]),
    "--schedule": st.sampled_from(["cosine", "constant", "step"]),
    "--augmentation": st.sampled_from(["none", "flip-translate"]),
    "--precision": st.sampled_from(["float32", "float64"]),
    "--initialiser": st.sampled_from(["xavier-normal", "he-normal"]),
    "--cpus-per-trial": st.integers(1, 2).map(str),
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional=FLAGS), st.sampled_from([(), ("--no-dense",), ("--nesterov",)]))
@example({"--preset": "snip-mnist", "--optimizer": "adam"}, ())
def test_every_combination_is_printed_and_read(given_options: dict[str, str], flags: tuple[str, ...]) -> None:
    arguments = [*flags, *(item for pair in given_options.items() for item in pair)]
    try:
        expected = keys("run", *arguments)
    except ValueError:
        return  # no sweep: Adam without a learning rate, step without milestones, …
    file = saved(text := printed("run", *arguments))
    assert keys("run", "--config", file) == expected
    assert printed("run", "--config", file) == text
    context, _ = read("run", "--config", file, "--epochs", "3")
    with context:
        assert keys("run", *shlex.split(command_text())[4:]) == keys("run", "--config", file, "--epochs", "3")


def test_tune_has_one_too() -> None:
    arguments = ["--search", "lr=0.01:0.2,weight_decay", "--budget", "5", "--seeds", "1000,", "--preset", "snip-mnist"]
    file = saved(text := printed("tune", *arguments))
    before, after = read("tune", *arguments)[1], read("tune", "--config", file)[1]
    assert isinstance(before, TuneRequest) and isinstance(after, TuneRequest)
    assert (after.search, after.budget, after.dataset) == (before.search, 5, "mnist")
    assert keys("tune", "--config", file) == keys("tune", *arguments)
    assert printed("tune", "--config", file) == text


@pytest.mark.parametrize("command", ["run", "tune"])
def test_every_option_but_those_of_the_command_itself_can_be_given(command: str) -> None:
    every = grouped_options(cli.commands[command])
    inside = {option.long_name for option in config_options(cli.commands[command])}
    assert {option.long_name for option in every} - inside <= {"config", "print-config", "dry-run"}
    lines = printed(command).replace("# ", "").splitlines()
    written = {line.partition(" =")[0] for line in lines if " =" in line and " " not in line.partition(" =")[0]}
    assert written == inside - {"preset"}  # whose values are written out


def test_what_decides_the_results_is_written_out_and_the_rest_only_if_given() -> None:
    content = tomllib.loads(printed("run", "--executor", "local"))
    assert list(content) == list(SECTIONS)
    assert content["what"] == {
        "methods": ["freeze", "snip"], "rates": [0.9, 0.95, 0.98, 0.99, 0.995], "seeds": "0:4", "dataset": "digits",
        "model": "lenet-300-100", "start": "scratch", "when": "before", "dense": True,
    }  # fmt: skip
    assert content["protocol"]["lr"] == 0.1 and "milestones" not in content["protocol"]
    assert content["machine"] == {"device": "cpu", "cpus-per-trial": 1, "executor": "local"}
    assert content["store"] == {} and content["speed"]["pack"] == "auto"


def test_the_command_line_wins_over_the_file_and_the_file_over_its_preset() -> None:
    file = saved('preset = "snip-mnist"\n[protocol]\nepochs = 7\n[machine]\ncpus-per-trial = 2\n')
    request = read("run", "--config", file, "--epochs", "3", "--rates", "0.5")[1]
    assert (request.protocol["epochs"], request.rates, request.cpus_per_trial) == (3, "0.5", 2)
    assert (request.seeds, request.protocol["schedule"]) == ("20", "step")
    other = read("run", "--preset", "grasp-cifar10", "--config", file)[1]
    assert (other.dataset, other.protocol["epochs"], other.protocol["batch_size"]) == ("cifar10", 7, 128)


def test_what_belongs_to_a_replaced_field_goes_with_it() -> None:
    """As with a preset: the learning rate of SGD is none of Adam's, whichever layer it stands in."""
    adam = saved('preset = "snip-mnist"\noptimizer = "adam"\n')
    assert read("run", "--config", adam)[1].protocol["lr"] is None
    sgd = saved('optimizer = "sgd"\nlr = 0.03\nschedule = "step"\nmilestones = [0.5]\n')
    assert read("run", "--config", sgd)[1].protocol["lr"] == 0.03
    changed = read("run", "--config", sgd, "--optimizer", "adam", "--schedule", "cosine")[1].protocol
    assert (changed["lr"], changed["milestones"]) == (None, None)


def test_values_as_one_would_write_them() -> None:
    text = """
        methods = ["freeze", "grasp:temperature=2"]
        rates = 0.90
        seeds = [5]
        plugin = "mine.py"
        lr = 1
        nesterov = true
        gpus-per-trial = 0.25
    """
    request = read("run", "--config", saved(text))[1]
    assert (request.methods, request.rates, request.seeds) == ("freeze,grasp:temperature=2", "0.90", "5,")
    assert (request.plugins, request.protocol["lr"], request.gpus_per_trial) == (("mine.py",), 1.0, 0.25)
    assert request.protocol["nesterov"] is True
    assert read("run", "--config", saved("seeds = 5"))[1].seeds == "5"
    assert read("run", "--config", saved('plugin = ["a", "b"]'))[1].plugins == ("a", "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protocol]\n\nepoch = 3", "line 3: unknown key 'epoch' in section [protocol]: must be a long option of `run`;"
         " did you mean epochs?"),
        ("batch_size = 3", "unknown key 'batch_size': must be a long option of `run`; did you mean batch-size?"),
        ("[protocl]\nepochs = 3", "unknown key 'protocl': must be a long option of `run`; did you mean protocol?"),
        ("[machine]\nepochs = 3", "line 2: epochs in section [machine]: must be in section [protocol], or above all"),
        ("epochs = 3\n[protocol]\nepochs = 3", "line 3: epochs: stands in two sections; must stand in one"),
        ("# x\nepochs = 'ten'", "line 2: epochs 'ten': must be a whole number"),
        ("epochs = 3.0", "line 1: epochs 3.0: must be a whole number"),
        ("epochs = true", "line 1: epochs true: must be a whole number"),
        ("lr = '0.1'", "line 1: lr '0.1': must be a number"),
        ("dense = 'no'", "line 1: dense 'no': must be true or false"),
        ("model = ['a']", "line 1: model ['a']: must be text"),
        ("name = 2024-01-01", "line 1: name datetime.date(2024, 1, 1): must be text"),
        ("rates = [true]", "line 1: rates true: must be text, a number, or an array of these"),
        ("plugin = [1]", "line 1: plugin 1: must be text, or an array of it"),
        ("precision = 'float23'", "line 1: unknown precision 'float23': must be one of float32, bfloat16, float64"),
        ("schedule = 'cosin'", "unknown schedule 'cosin': must be one of cosine, step, constant; did you mean cosine?"),
        ("epochs = {a = 1}", "line 1: epochs {'a': 1}: must be a whole number"),
        ("epochs 3", "no TOML: Expected '=' after a key in a key/value pair (at line 1"),
        ("epochs = 1\nepochs = 2", "no TOML: Cannot overwrite a value"),
        ("dry-run = true", "line 1: unknown key 'dry-run'"),
        ("preset = 'snip-mnst'", "unknown preset 'snip-mnst': must be one of "),
        ("epochs = 0", "epochs 0: must be a whole number >= 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(text)
    assert main(["run", "--config", "s.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert sorted(tmp_path.iterdir()) == [tmp_path / "s.toml"]


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml' does not exist" in capsys.readouterr().err
    (tmp_path / "s.toml").write_bytes(b"name = '\xff'")
    assert main(["run", "--config", str(tmp_path / "s.toml")]) == 2
    assert "s.toml: cannot be read: 'utf-8' codec can't decode byte 0xff" in capsys.readouterr().err


def test_an_option_of_run_alone_is_none_of_tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text("executor = 'local'")
    assert main(["tune", "--config", str(tmp_path / "s.toml")]) == 2
    assert "unknown key 'executor': must be a long option of `tune`" in capsys.readouterr().err


def test_paths_are_those_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file says what the command line says: the plug-in is looked for here, not beside the file."""
    (tmp_path / "configs").mkdir()
    plugin = "from bench.methods import METHODS as M\nMETHODS = {'mine': M['freeze']}\n"
    (tmp_path / "configs" / "s.toml").write_text("plugin = 'mine.py'\nmethods = 'mine'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"mine\.py"):
        keys("run", "--config", "configs/s.toml")
    Path("mine.py").write_text(plugin)
    assert len(keys("run", "--config", "configs/s.toml")) == 30


def test_the_stored_command_spells_the_file_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved('preset = "snip-mnist"\nplugin = ["a.py", "b.py"]\ndense = false\nnesterov = true\ntuned = ""\n')
    context, _ = read("run", "--config", file, "--epochs", "3")
    with context:
        flags = "--preset snip-mnist --no-dense --plugin a.py --plugin b.py --tuned --epochs 3 --nesterov"
        assert command_text() == f"python -m bench run {flags}"
    monkeypatch.setattr(sys, "argv", ["bench", "run", "--epochs", "3", "--name", "a b"])
    context, _ = read("run", "--epochs", "3", "--name", "a b")
    with context:
        assert command_text() == "python -m bench run --epochs 3 --name 'a b'"


def test_print_config_prints_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--epochs", "3", "--print-config"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and tomllib.loads(out)["protocol"]["epochs"] == 3
    assert main(["run", "--rates", "2", "--print-config"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (["--start", "mnist"], "start 'mnist': must be one of scratch, pretrained:DATA, pretrained:DATA@SEED, "
         "pretrained:FILE, pretrained:torchvision/NAME"),
        (["--start-epochs", "3"], "start-epochs 3 with start scratch: must be left out, or with a base"),
        (["--start", "pretrained:cifar10"], "model 'lenet-300-100' takes images (1, 28, 28); data set 'cifar10' has "
         "(3, 32, 32)"),
    ],
)  # fmt: skip
def test_print_config_prints_no_start_that_a_sweep_cannot_have(
    start: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--model", "lenet-300-100", *start, "--print-config"]) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")


def test_a_pipe_is_a_file_too(tmp_path: Path) -> None:
    """As with `--config <(…)`."""
    text = printed("run", "--epochs", "3")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[text])
    writer.start()
    command = [*COMMAND, "run", "--config", str(tmp_path / "pipe"), "--print-config"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    writer.join()
    assert (done.stdout, done.stderr, done.returncode) == (f"{text}\n", "", 0)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_written_as_toml(name: str) -> None:
    from bench.cli.config.config_text import _quoted

    assert tomllib.loads(f"name = {_quoted(name)}") == {"name": name}


def test_one_more_option_is_one_more_key(tmp_path: Path) -> None:
    """Nothing but its declaration is needed."""
    option = GroupedOption(["--patience"], group="machine", type=int)
    command = GroupedCommand("wait", params=[option])
    from bench.cli.config.config_file import read_config

    (tmp_path / "s.toml").write_text("[machine]\npatience = 3")
    assert read_config(tmp_path / "s.toml", command) == {"patience": 3}


def test_the_page_shows_a_file_that_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "command-line.md").read_text()
    (file,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    request = read("run", "--config", saved(file))[1]
    assert (request.seeds, request.protocol["epochs"], request.protocol["lr"]) == ("0:4", 60, 0.05)
