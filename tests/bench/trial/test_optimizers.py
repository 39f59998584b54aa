"""An optimizer is one row of UPDATES and its rule: command line, check, key, words, figures and training follow."""

from __future__ import annotations

import pytest
from protocol_help import protocol_help
from small_trials import images, spec

from bench import names
from bench.cli.protocol_options import read_protocol
from bench.engine.train import train
from bench.results.tables.protocol import protocol
from bench.trial.optimizers import UPDATES, OptimizerRow

DATA = images()


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPDATES, "sign", OptimizerRow(words="SignSGD", rule="sign_update:Sign", lr=0.001))


def test_the_command_line_has_it() -> None:
    shown = protocol_help()
    assert f"--optimizer [{'|'.join(UPDATES)}] Update the weights with this optimizer. [default: sgd]" in shown
    assert "|sign]" in shown
    assert "--lr FLOAT Begin with this learning rate. [default: 0.1 for sgd, 0.001 for sign; adam" in shown
    assert "Momentum of SGD; beta_1 of Adam and AdamW. " in shown
    assert "Use Nesterov momentum (sgd)." in shown
    assert read_protocol({"optimizer": "sign"})["lr"] == 0.001
    assert read_protocol({"optimizer": "sign", "lr": 0.5})["lr"] == 0.5


def test_its_learning_rate_is_no_other_optimizers() -> None:
    with pytest.raises(ValueError) as error:
        read_protocol({"optimizer": "adam"})
    assert str(error.value) == "optimizer adam: needs --lr; the default 0.1 is for sgd, 0.001 is for sign"


def test_the_spec_knows_it() -> None:
    assert spec(optimizer="sign").record()["optimizer"] == "sign"
    assert spec(optimizer="sign").run_key != spec().run_key
    with pytest.raises(ValueError, match=f"^unknown optimizer 'lamb': must be one of {', '.join(UPDATES)}; did"):
        spec(optimizer="lamb")
    with pytest.raises(ValueError, match=r"^nesterov with sign, momentum 0\.9: must be sgd with momentum > 0$"):
        spec(optimizer="sign", nesterov=True)
    with pytest.raises(ValueError, match=r"^momentum 0\.5 with sign: it has none; must be left out$"):
        spec(optimizer="sign", momentum=0.5)


def test_nesterov_where_its_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    row = OptimizerRow(words="SignSGD", rule="sign_update:Sign", nesterov=True)
    monkeypatch.setitem(UPDATES, "sign", row)
    assert spec(optimizer="sign", nesterov=True).nesterov
    assert "Use Nesterov momentum (sgd, sign)." in protocol_help()
    with pytest.raises(ValueError, match="must be sgd or sign with momentum > 0"):
        spec(optimizer="adam", nesterov=True)


def test_a_table_has_its_name() -> None:
    assert protocol({"optimizer": "sign", "lr": 0.1}) == "Protocol: SignSGD, learning rate 0.1."
    assert protocol({"optimizer": "of a later version"}) == "Protocol: of a later version."


@pytest.mark.parametrize("follows", [False, True])
def test_a_trial_trains_with_it(follows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    row = OptimizerRow(words="SignSGD", rule="sign_update:Sign", follows_gradient=follows)
    monkeypatch.setitem(UPDATES, "sign", row)
    (result,) = train([spec(optimizer="sign", lr=0.001, epochs=3)], DATA, "cpu")
    assert result.outcome == names.DONE  # and so the dead weights are what they were
    assert result.metrics[names.TEST_ACCURACY] > 0.5
    assert (names.PREDICTED_DECREASE in result.metrics) is follows
