"""A store in a folder whose name means something in an address: all lies in that folder, and nothing beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import called
from stored_entries import entry, keys

from bench.storage import offline_folder
from bench.storage.store_uri import absolute


@pytest.mark.parametrize("name", ["a#b", "é ?%20"])
def test_a_store_and_its_networks_lie_in_that_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    (folder / "kept").mkdir(parents=True)
    offline_folder.write(folder / "kept" / "x.jsonl", [entry(0)])
    assert called(folder, "import", "kept").returncode == 0
    assert called(folder, "table").returncode == 0
    monkeypatch.chdir(folder)
    assert keys(absolute("sqlite:///mlflow.db")) == {entry(0).run_key}
    assert [path.read_bytes() for path in folder.glob("mlruns/**/network.frz")] == [b"network 0"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {path.name for path in folder.iterdir()} == {"kept", "mlflow.db", "mlruns"}


def test_what_an_address_would_drop_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has a # in it, behind which an address has no path: must be %23 there$"):
        absolute("file:///a#b")
    assert absolute("/a#b") == "file:///a%23b"
