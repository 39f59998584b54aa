"""Nothing secret is shown or kept: of addresses, of what the environment gives, of an error and its causes."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api.process import settings_kept
from bench.masking import SECRETS, masked, masked_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://AKIA:sE/cr+et@bucket/x: no", "s3://AKIA:***@bucket/x: no"),
        ("s3://bucket/x?X-Amz-Signature=sEcret&a=b", "s3://bucket/x?X-Amz-Signature=***&a=b"),
        ("s3://bucket/x?X-Amz-Credential=sEcret", "s3://bucket/x?X-Amz-Credential=***"),
        ("s3://bucket/x?X-Amz-Security-Token=sEcret", "s3://bucket/x?X-Amz-Security-Token=***"),
        ("abfs://x@account/y?sig=sEcret&se=2030", "abfs://x@account/y?sig=***&se=2030"),
        ("AccountName=ann;AccountKey=sEcret==;x", "AccountName=ann;AccountKey=***;x"),
        ("s3://bucket?secret_key=sEcret", "s3://bucket?secret_key=***"),
        ("gs://bucket?access_token=sEcret", "gs://bucket?access_token=***"),
        ("headers {'Authorization': 'Bearer sEcret.x-y'}", "headers {'Authorization': 'Bearer ***'}"),
        ("Authorization: Basic c0VjcmV0=", "Authorization: Basic ***"),
        ("--storage 's3://k:sEcret@b' --name x", "--storage 's3://k:***@b' --name x"),
    ],
)
def test_keys_and_signatures(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "design=1",
        "s3://bucket/folder?region=eu",
        "--methods px:rounds=5",
        "key=value",
        "token budget 5",
        "Basic training",
    ],
)
def test_what_is_not_secret_is_shown(text: str) -> None:
    assert masked(text) == text


def test_what_the_environment_gives_is_masked_in_whatever_form_it_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:sE%2Fcr%40et@host/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUt/nFEMI")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")  # too short to be told from a word
    said = "for ann: sE/cr@et, sE%2Fcr%40et; wJalrXUt/nFEMI wJalrXUt%2FnFEMI abc"
    assert masked(said) == "for ann: ***, ***; *** *** abc"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://mlflow:mlflow@host/mlflow")
    assert masked("mlflow: postgresql://mlflow:mlflow@host/mlflow") == "mlflow: postgresql://mlflow:***@host/mlflow"


def test_each_line_has_its_own() -> None:
    assert masked_lines("postgresql://ann:x\n@decorator") == "postgresql://ann:x\n@decorator"


def test_an_error_that_leaves_our_interface_says_nothing_secret_nor_does_what_led_to_it() -> None:
    with pytest.raises(ValueError) as raised, settings_kept():
        try:
            raise OSError(13, "http://ann:sEcret@host")
        except OSError as error:
            raise ValueError("store postgresql://ann:sEcret@host/x: no") from error
    assert str(raised.value) == "store postgresql://ann:***@host/x: no"
    assert "sEcret" not in "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__cause__ is not None and "http://ann:***@host" in str(raised.value.__cause__.args)


def test_the_working_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/data/My folder")
    monkeypatch.setenv("DB_PWD", "Pa55-word")
    assert masked("in /data/My folder, by Pa55-word") == "in /data/My folder, by ***"


PIECES = (
    "@", ":", "//", "http", "postgresql", "ann", "/", "?", "&", ";", "=", "%3D", "%3d", "TOKEN", "pwd", "odbc_connect",
    "ODBC_CONNECT", "Authorization", "AUTHORIZATION", "bearer", "Basic", " ", "'", "5000", "x", "\n",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_is_looked_for_first_hides_no_secret(text: str) -> None:
    every = text
    for _, pattern, shown in SECRETS:
        every = pattern.sub(shown, every)
    assert masked(text) == every
