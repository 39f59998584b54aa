"""A plug-in that ends the process, prints, or changes the process as it is imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from bench.cli.cli import main

METHODS = """
from bench.methods import Method
METHODS = {"own": Method(criterion="magnitude", background="freeze")}
"""


def listed(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> int:
    (folder / "own.py").write_text(f"{METHODS}\n{code}\n")
    monkeypatch.chdir(folder)
    return main(["list", "methods", "--plugin", "own.py", "--format", "csv"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit(0)", "SystemExit with 0: it must not end the process"),
        ("import sys; sys.exit()", "SystemExit: it must not end the process"),
        ("import sys; sys.exit('no data')", "SystemExit with 'no data': it must not end the process"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: it must not end the process"),
        ("import argparse; argparse.ArgumentParser().exit()", "SystemExit with 0: it must not end the process"),
        ("raise TypeError('two\\nlines')", "TypeError: two lines"),
        ("def f(:", "SyntaxError: invalid syntax (own.py, line 5)"),
        ("class E(BaseException): pass\nraise E('own')", "E: it must not end the process"),
    ],
)
def test_one_that_does_not_load(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    assert listed(tmp_path, code, monkeypatch) == 2
    assert capsys.readouterr() == ("", f"error: plug-in 'own.py': {said}\n")
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_by_the_user_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGINT)", monkeypatch) == 130


def test_what_it_prints_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(tmp_path, "print('loading')", monkeypatch) == 0
    out, err = capsys.readouterr()
    assert err == "loading\n"
    assert out.splitlines()[-1].startswith("own,magnitude,")


def test_what_it_changes_is_put_back_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import os, torch, warnings\ntorch.set_default_dtype(torch.float64)\nos.environ['OMP_NUM_THREADS'] = '9'\n"
        "warnings.simplefilter('ignore')\ntorch.nn.functional.relu = torch.sin"
    )
    variables, filters, relu = dict(os.environ), list(warnings.filters), torch.nn.functional.relu
    assert listed(tmp_path, code, monkeypatch) == 0
    assert capsys.readouterr().err == (
        "warning: plug-in 'own.py' changes the default dtype, environment variables, warnings filters,"
        " torch.nn.functional.relu; put back\n"
    )
    assert torch.get_default_dtype() is torch.float32
    assert (dict(os.environ), list(warnings.filters), torch.nn.functional.relu) == (variables, filters, relu)


def test_torch_is_as_it_starts_after_a_plugin_that_loads_it(tmp_path: Path) -> None:
    """In a process without torch so far, too."""
    (tmp_path / "own.py").write_text(f"import torch\ntorch.set_default_dtype(torch.float64)\n{METHODS}")
    code = (
        "import sys; from bench.trial.plugins import Catalogue; assert 'torch' not in sys.modules\n"
        "Catalogue(['own.py']); import torch; print(torch.get_default_dtype())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == "torch.float32\n"
    assert done.stderr == "warning: plug-in 'own.py' changes the default dtype; put back\n"
