"""What is said before and after the checks of a command."""

from __future__ import annotations

import time

import pytest

from bench import messages
from bench.messages import announced, nearest, one_line


def test_said_once_all_checks_are_passed(capsys: pytest.CaptureFixture[str]) -> None:
    with announced("grid"):
        assert capsys.readouterr().err == ""
    assert capsys.readouterr().err == "grid\n"


def test_not_said_where_a_check_fails_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), announced("grid"):
        raise ValueError("wrong")
    assert capsys.readouterr().err == ""


def test_said_soon_where_the_checks_take_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "SOON_SECONDS", 0.01)
    with announced("grid"):
        while not (said := capsys.readouterr().err):
            time.sleep(0.01)
        assert said == "grid\n"
    assert capsys.readouterr().err == ""


def test_an_unknown_name_is_told_with_the_nearest_known_one() -> None:
    assert nearest("model", "lenet", ["vgg", "lenet-5"]) == (
        "unknown model 'lenet': must be one of vgg, lenet-5; did you mean lenet-5?"
    )
    assert nearest("model", "x", ["vgg", "lenet-5"]) == "unknown model 'x': must be one of vgg, lenet-5"


def test_an_exception_is_one_line_of_limited_length() -> None:
    assert one_line(OSError("the disk\n  is full")) == "OSError: the disk is full"
    assert one_line(ValueError("x" * 400)) == f"ValueError: {'x' * 288}"
