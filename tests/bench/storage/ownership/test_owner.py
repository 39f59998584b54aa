"""The process that a run belongs to, and whether it is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.storage.ownership import owner as owner_module
from bench.storage.ownership.owner import EXPIRY_SECONDS, Owner

SAYS_ITSELF = "import sys; from bench.storage.ownership.owner import Owner; print(Owner.here().tag(), flush=True)"


def another(code: str = "sys.stdin.read()") -> tuple[subprocess.Popen[str], Owner]:
    """Another process of this machine, which runs on until its input ends, and who it says it is."""
    command = [sys.executable, "-c", f"{SAYS_ITSELF}; {code}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    owner = Owner.of(process.stdout.readline())
    assert owner is not None and owner.process == process.pid
    return process, owner


def test_a_tag_names_its_owner_again() -> None:
    here = Owner.here()
    assert Owner.of(here.tag()) == here


@pytest.mark.parametrize("tag", [None, "", "no JSON", "[]", "3", '{"machine":"a"}', '{"machine":1,"process":"x"}'])
def test_a_tag_that_names_none(tag: str | None) -> None:
    assert Owner.of(tag) is None


def test_another_process_is_gone_when_it_has_ended_and_not_before() -> None:
    process, owner = another()
    long_silent = replace(owner, alive=0.0)
    assert not owner.is_gone() and not long_silent.is_gone()
    process.send_signal(signal.SIGSTOP)
    assert not long_silent.is_gone()
    process.kill()
    while Path(f"/proc/{process.pid}/stat").exists() and not owner.is_gone():  # a zombie at once, if Linux tells
        time.sleep(0.01)
    assert owner.is_gone() if Path("/proc/self/stat").exists() else True
    process.communicate()
    assert owner.is_gone() and replace(owner, alive=time.time()).is_gone()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the machine does not tell when a process began")
def test_a_number_that_is_given_again_is_another_process() -> None:
    process, owner = another()
    assert replace(owner, began="1").is_gone()
    process.communicate()


def test_a_process_whose_beginning_is_hidden_is_judged_by_its_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /proc shows a user only processes of his own."""
    process, owner = another()
    monkeypatch.setattr(owner_module, "_began", lambda number: "")
    assert not owner.is_gone()
    assert replace(owner, alive=time.time() - EXPIRY_SECONDS - 60).is_gone()
    process.communicate()
    assert owner.is_gone()


@pytest.mark.parametrize("field", [{"machine": "elsewhere"}, {"process": os.getpid()}])
def test_of_another_machine_and_of_ourselves_the_sign_of_life_tells(field: dict[str, str]) -> None:
    now = time.time()
    owner = replace(Owner.here(), **field)
    assert not replace(owner, alive=now - EXPIRY_SECONDS + 60).is_gone()
    assert replace(owner, alive=now - EXPIRY_SECONDS - 60).is_gone()
