"""What is said before and after the checks of a command."""

from __future__ import annotations

import time

import pytest

from bench import messages
from bench.messages import announced, folded, masked, nearest, one_line


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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("mssql+pyodbc:///?odbc_connect=UID%3Dann%3BPWD%3DsEcret%3Bx: no", "mssql+pyodbc:///?odbc_connect=***: no"),
        ("DRIVER=x;UID=ann;PWD=sEcret;x", "DRIVER=x;UID=ann;PWD=***;x"),
        ("mysql://ann@h/x?ssl_key_password=sEcret: no", "mysql://ann@h/x?ssl_key_password=***: no"),
        ("https://ghp_sEcret@host: no", "https://***@host: no"),
        ("store postgres:ann:sEcret@host/x: unknown", "store postgres:***@host/x: unknown"),
        ("//ann:sEcret@host/x", "//ann:***@host/x"),
        ("'ann:sEcret@host:5000'", "'ann:***@host:5000'"),
        ("postgresql://ann:sE cret@host/x: no", "postgresql://ann:***@host/x: no"),
        ("http://ann:sE cret@host: no", "http://ann:***@host: no"),
        ("postgresql://ann:12/sEcret@host/x", "postgresql://ann:***@host/x"),
        ("http://ann:sE/cret@host", "http://ann:***@host"),
        ("http://ann@lab.org:sEcret@host", "http://***@lab.org:***@host"),
        ("http://:sEcret@host", "http://:***@host"),
    ],
)
def test_no_password_is_shown(line: str, shown: str) -> None:
    assert masked(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "store http://h:80/a@b: no answer", "http://127.0.0.1:9: no answer (ann@host)", "run 8d1f: see ann@host",
        "sqlite:////home/ann@lab/mlflow.db: locked", "port=80): ann@host", "mysql://ann@host:3306/x: gone",
    ],
)  # fmt: skip
def test_what_is_no_password_is_shown(line: str) -> None:
    assert masked(line) == line


def test_a_password_that_is_longer_than_the_message_is_no_part_of_it() -> None:
    assert folded(f"http://ann:{'sEcret' * 200}@host: no answer") == "http://ann:***@host: no answer"
