"""Where Python looks for modules, in a process that Ray started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import search_path


def test_a_folder_where_the_driver_does_not_look_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/nowhere/a", "/nowhere/b"])
    assert search_path.working_folder_if_absent() == str(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), "/nowhere/a", "/nowhere/b"])
    monkeypatch.setattr(search_path, "LAST", {tmp_path.resolve()})
    search_path.checkout_last()
    assert sys.path == ["/nowhere/a", "/nowhere/b", str(tmp_path)]


@pytest.mark.parametrize("entry", ["", "."])
def test_the_working_folder_of_python_m(entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/nowhere", entry])
    assert search_path.working_folder_if_absent() == ""
