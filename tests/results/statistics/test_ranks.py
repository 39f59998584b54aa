"""bench.results.statistics.ranks by hand and by published tables, and how the ranking is printed, drawn and refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import bench
from matplotlib.colors import to_hex
from rendered import plot, render, view
from scipy.stats import chi2
from small_store import Store
from trial_frames import METHODS, frame, spec_of, trial

from bench import names
from bench.cli.cli import main
from bench.results.statistics.ranks import Ranking, rank
from bench.results.statistics.view import View
from bench.results.tables.rank_table import both_tests

LEVELS = {"freeze": 0.95, "snip": 0.93, "grasp": 0.90}


def ranking(means: Sequence[Sequence[float]], labels: str = "abc", **more: Any) -> Ranking:
    """Of blocks by hand: a row each."""
    table = pd.DataFrame(means, columns=list(labels), index=[f"block {k}" for k in range(len(means))])
    known = {"titles": dict.fromkeys(table.index, "digits"), "left_out": [], "records": {}, "better": 1, "alpha": 0.05}
    return Ranking(**{"means": table, "metric": names.TEST_ACCURACY, **known, **more})


def stored(levels: dict[str, float], sets: Sequence[str] = ("digits", "mnist"), seeds: int = 2) -> list[dict[str, Any]]:
    return [
        trial(method, rate, seed, level + seed / 100, dataset=dataset)
        for dataset in sets
        for rate in ("0.9", "0.99")
        for method, level in levels.items()
        for seed in range(seeds)
    ]


def test_ranks_by_hand() -> None:
    made = ranking([[0.9, 0.8, 0.7], [0.9, 0.9, 0.7], [0.1 + 0.2, 0.3, 0.3]])
    assert made.ranks.to_numpy().tolist() == [[1, 2, 3], [1.5, 1.5, 3], [2, 2, 2]]  # equal but for the last bit
    assert made.mean_ranks.to_dict() == pytest.approx({"a": 4.5 / 3, "b": 5.5 / 3, "c": 8 / 3})
    assert list(made.mean_ranks.index) == ["a", "b", "c"]


def test_low_may_be_better() -> None:
    assert ranking([[0.9, 0.8, 0.7]], better=-1).mean_ranks.to_dict() == {"c": 1.0, "b": 2.0, "a": 3.0}


def test_methods_that_always_tie_are_not_told_apart() -> None:
    made = ranking([[0.5, 0.5, 0.5]] * 3)
    assert made.friedman.p == 1.0
    assert (made.nemenyi.to_numpy() == 1.0).all()


@pytest.mark.parametrize(
    ("k", "n", "difference"),
    # 1.25: Demšar (2006), section 3.2.2, the example of four classifiers on 14 data sets; q of his table 5 (a).
    [(4, 14, 1.25), (3, 6, 2.343 * math.sqrt(12 / 36)), (10, 6, 3.164 * math.sqrt(110 / 36))],
)
def test_the_critical_difference_by_the_published_table(k: int, n: int, difference: float) -> None:
    made = ranking([[1 - j / 10 for j in range(k)]] * n, "abcdefghij"[:k])
    assert made.critical_difference == pytest.approx(difference, abs=0.005)


def test_nemenyi_tells_apart_what_is_further_apart_than_the_critical_difference() -> None:
    made = ranking([[0.9, 0.8, 0.7, 0.6]] * 5 + [[0.6, 0.9, 0.8, 0.7]] * 2, "abcd")
    ranks, p = made.mean_ranks, made.nemenyi
    told = {(a, b) for a in ranks.index for b in ranks.index if abs(ranks[a] - ranks[b]) > made.critical_difference}
    assert (
        told == {(a, b) for a in p for b in p if p.loc[a, b] < 0.05} == {("a", "d"), ("b", "d"), ("d", "a"), ("d", "b")}
    )


def test_a_block_is_a_rate_at_which_every_method_has_every_seed() -> None:
    rows = stored(LEVELS)
    rows += [trial("freeze", "0.5", 0, 0.9), *(trial("snip", "0.5", seed, 0.9) for seed in range(2))]
    rows[-1] |= {"outcome": names.DIVERGED, names.TEST_ACCURACY: float("nan")}
    made = rank(frame(rows), View())
    assert list(made.means.index) == [
        f"{d} · lenet-5-caffe, rate {r}" for d in ("digits", "mnist") for r in ("0.9", "0.99")
    ]
    assert made.means.iloc[0].to_dict() == pytest.approx({label: level + 0.005 for label, level in LEVELS.items()})
    assert made.left_out == ["digits · lenet-5-caffe, rate 0.5 (no grasp; freeze 1 of 2 seeds; snip 1 of 2 seeds)"]
    assert set(made.titles.values()) == {"digits", "mnist"}
    assert made.mean_ranks.to_dict() == {"freeze": 1.0, "snip": 2.0, "grasp": 3.0}


def test_what_is_hidden_has_no_part() -> None:
    rows = [*stored(LEVELS), trial("extra", "0.9", 0, 0.99, record={"criterion": "x", "background": "prune"})]
    with pytest.raises(ValueError, match="ranks of 4 methods over 0 blocks"):
        rank(frame(rows), View())
    assert list(rank(frame(rows), View(methods=["freeze", "snip", "grasp"])).means) == ["freeze", "grasp", "snip"]
    assert len(rank(frame(stored(LEVELS)), view(rates=["0.9"])).means) == 2


def test_sanity_controls_have_no_rank() -> None:
    record = {**METHODS["snip"], "control": "shuffle"}
    controls = [trial("snip:control=shuffle", "0.9", seed, 0.99, record=record) for seed in range(3)]
    made, without = (rank(frame(rows), View()) for rows in (stored(LEVELS) + controls, stored(LEVELS)))
    assert made.means.equals(without.means)


@pytest.mark.parametrize(
    ("levels", "sets", "options", "said"),
    [
        ({"freeze": 0.9, "snip": 0.8}, ("digits",), {}, "ranks of 2 methods over 2 blocks .*at least 3 methods and 2"),
        (LEVELS, ("digits",), {"rates": ["0.9"]}, "ranks of 3 methods over 1 block "),
        (LEVELS, ("digits",), {"metric": names.FLOW_SUM}, "ranks of gradient_flow_sum: must be a metric of which"),
    ],
)
def test_too_little_to_rank(levels: dict[str, float], sets: tuple[str], options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        rank(frame(stored(levels, sets)), view(**options))
    assert "\n" not in str(error.value)


def test_the_refusal_names_what_was_left_out() -> None:
    rows = [row for row in stored(LEVELS, ("digits",)) if (row["method"], row["rate"]) != ("grasp", "0.99")]
    with pytest.raises(ValueError, match=r"; left out: digits · lenet-5-caffe, rate 0.99 \(no grasp\)$"):
        rank(frame(rows), View())


def test_of_many_a_few_are_named() -> None:
    more = {f"m{k}": 0.5 for k in range(9)}
    records = {name: {"criterion": name, "background": "prune"} for name in more}
    rows = [trial(name, "0.9", s, 0.5, record=records[name]) for name in more for s in range(2)]
    rows += stored(LEVELS, ("digits",))
    with pytest.raises(ValueError, match=r"rate 0.99 \(no m0, m1, m2 and 6 others\)$"):
        rank(frame(rows), View())


def test_the_table_of_ranks() -> None:
    plain, made = (render(frame(stored(LEVELS)), ranks=ranks) for ranks in (False, True))
    assert made.startswith(plain.rstrip("\n"))
    added = made[len(plain) :]
    assert [line.replace(" ", "") for line in added.splitlines() if line.startswith(("| f", "| s", "| g"))] == [
        "|freeze|1.00||0.013|0.333|", "|snip|2.00|0.333|0.333||", "|grasp|3.00|0.013||0.333|",
    ]  # fmt: skip
    for said in (
        "of the 3 methods shown over 4 blocks",
        "chi-square = 8.00, exact p = 0.005 over all orders of the ranks within each block, ties as seen.",
        "CD = 1.66", "The 4 blocks come from 2 data sets: blocks that share one are not independent",
        "- Left out: nothing.",
    ):  # fmt: skip
        assert said in added
    assert "whatever the pairs say" not in added


def test_without_a_difference_the_pairs_are_not_to_be_read() -> None:
    rows = stored({"freeze": 0.9, "snip": 0.9, "grasp": 0.9})
    assert "Friedman's p is above 0.05: no two methods are told apart" in render(frame(rows), ranks=True)


def test_too_few_blocks_to_show_anything_are_said_to_be() -> None:
    two, three = (ranking([[0.9, 0.8, 0.7]] * n) for n in (2, 3))
    assert two.least_p == pytest.approx(two.friedman.p) == pytest.approx(1 / 6)
    assert three.least_p == pytest.approx(three.friedman.p) == pytest.approx(1 / 36)
    assert "cannot show a difference: ranks alike in every block give p = 0.167." in both_tests(two)
    assert "cannot show" not in both_tests(three)


def test_many_methods_have_an_approximate_p_and_the_text_says_so() -> None:
    few, more = (ranking([[1 - j / 10 for j in range(6)]] * n, "abcdef") for n in (9, 10))
    assert few.least_p == few.friedman.p == pytest.approx(chi2.sf(45, 5)) and not few.friedman.exact
    said = "chi-square = 45.00, p < 0.001 by the chi-square distribution with 5 degrees of freedom"
    assert f"{said}, a rough approximation with 9 blocks." in both_tests(few)
    assert "by the chi-square distribution with 5 degrees of freedom. Mean" in both_tests(more)


def test_ranks_as_numbers() -> None:
    made = json.loads(render(frame(stored(LEVELS)), ranks=True, format="json"))["ranks"]
    assert made["mean_ranks"] == {"freeze": 1.0, "snip": 2.0, "grasp": 3.0}
    assert made["friedman"] == {"chi_square": pytest.approx(8.0), "p": pytest.approx(1 / 216), "exact": True}
    assert made["nemenyi"]["freeze"]["grasp"] == made["nemenyi"]["grasp"]["freeze"] == pytest.approx(0.013, abs=5e-4)
    assert [block["dataset"] for block in made["blocks"]] == ["digits", "digits", "mnist", "mnist"]
    assert "ranks" not in json.loads(render(frame(stored(LEVELS)), format="json"))
    with pytest.raises(ValueError, match="format csv with ranks: must be one of github, latex, html, json"):
        render(frame(stored(LEVELS)), ranks=True, format="csv")


def test_the_diagram_has_every_method_at_its_rank_and_no_overlap() -> None:
    long = {**METHODS, "a-method-with-a-name-that-is-longer-than-a-line": {"criterion": "x", "background": "freeze"}}
    levels = {name: 0.9 - k / 100 for k, name in enumerate(name for name in long if name != "dense")}
    rows = [
        trial(method, rate, seed, level, record=long[method])
        for method, level in levels.items() for rate in ("0.9", "0.95", "0.99") for seed in range(2)
    ]  # fmt: skip
    made = plot(frame(rows), "ranks", lambda *_: pytest.fail("no history is asked for"))
    (axes,) = made.axes
    markers = {to_hex(m.get_facecolor()[0]): m.get_offsets()[0].tolist() for m in axes.collections}
    assert len(axes.collections) == 4 and markers["#d55e00"] == [3.0, 0.0]
    labels = {text.get_text().replace("\u00a0", "").replace("\n", ""): text for text in axes.texts}
    assert set(labels) == {
        "freeze  1.00", "snip  2.00", "3.00  grasp", "4.00  a-method-with-a-name-that-is-longer-than-a-line",
        f"CD = {rank(frame(rows), View()).critical_difference:.2f}",
    }  # fmt: skip
    made.draw_without_rendering()
    ticks = [tick for tick in axes.get_xticklabels() if 1 <= tick.get_position()[0] <= 4]  # others are not drawn
    assert [tick.get_position()[0] for tick in ticks] == [1, 2, 3, 4]
    boxes = [text.get_window_extent() for text in (*axes.texts, *ticks)]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert all(box.x0 >= 0 and box.x1 <= made.bbox.x1 and box.y1 <= made.bbox.y1 for box in boxes)
    scale = max((line for line in axes.lines if line.get_marker() == "|"), key=lambda line: line.get_xdata()[1])
    assert scale.get_xdata()[1] - 1 == pytest.approx(rank(frame(rows), View()).critical_difference)


def test_from_store_to_table_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "mlflow.db")
    for rate in ("0.9", "0.99"):
        for method, level in LEVELS.items():
            store.add(spec_of(method, rate, 0), method, level)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert main(["table", "--ranks"]) == 0
    assert "## Across data sets, networks and rates" in capsys.readouterr().out
    assert main(["plot", "ranks", "-o", str(tmp_path / "one.svg")]) == 0
    # Another process orders its sets otherwise.
    other = bench(tmp_path, "plot", "ranks", "-o", "two.svg", PYTHONHASHSEED="7", MLFLOW_TRACKING_URI=store.uri)
    assert other.returncode == 0, other.stderr
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    for command in (["table", "--ranks"], ["plot", "ranks", "-o", str(tmp_path / "no.svg")]):
        capsys.readouterr()
        assert main([*command, "--rates", "0.9"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "ranks of 3 methods over 1 block " in err
    assert not (tmp_path / "no.svg").exists()
