"""The paragraph on a store's methods and its BibTeX: all that was used, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rendered import view
from started_trials import BASE, curve, dense
from trial_frames import METHODS, frame, small, trial

from bench import __version__, datasets, models, names
from bench.methods import METHODS as ALL
from bench.results.frame import display_names
from bench.results.frame.method_record import canonical, method_record
from bench.results.paper import sources
from bench.results.paper.cite import citation
from bench.results.paper.references import REFERENCES

ROOT = Path(__file__).parents[3]


def cited(rows: list[dict[str, Any]], **options: Any) -> str:
    return citation(frame(rows), view(classes={"digits": 10}, **options))


def keys(text: str) -> tuple[set[str], list[str]]:
    """What the paragraph cites, and the entries that follow it."""
    paragraph, *_ = text.partition("\n\n@")
    used = {key for group in re.findall(r"\\cite\{(.*?)\}", paragraph) for key in group.split(",")}
    return used, re.findall(r"^@\w+\{(.*),$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "options", [{}, {"test": "wilcoxon"}, {"test": "permutation"}, {"margin": None}, {"methods": ["grasp"]}]
)
def test_every_entry_is_cited_and_every_citation_has_an_entry_once(options: dict[str, Any]) -> None:
    used, entries = keys(cited(small(), **options))
    assert used == set(entries) and len(entries) == len(used)


def test_only_what_was_used_is_cited() -> None:
    used, _ = keys(cited(small()))
    assert {"wimmer2020freezenet", "lee2019snip", "wang2020grasp", "lecun1998gradient", "holm1979simple"} <= used
    assert {"student1908probable", "schuirmann1987comparison", "loshchilov2017sgdr"} <= used
    assert not used & {"tanaka2020synflow", "kingma2015adam", "wilcoxon1945individual", "frankle2021missing"}
    assert "schuirmann1987comparison" not in keys(cited(small(), margin=None))[0]
    assert "wilcoxon1945individual" in keys(cited(small(), test="wilcoxon"))[0]
    assert "phipson2010permutation" not in keys(cited(small(), test="permutation"))[0]  # 5 pairs: all flips are counted


def test_the_sentences_are_those_of_the_store() -> None:
    made = cited(small())
    for words in (
        "others are kept at their initial values (freezing~\\cite{wimmer2020freezenet}) or set to zero (pruning)",
        "The methods are: FreezeNet~\\cite{wimmer2020freezenet,lee2019snip}; GraSP~\\cite{wang2020grasp}; SNIP",
        "We trained LeNet-5-Caffe~\\cite{lecun1998gradient,lee2019snip} on Digits",
        "SGD, learning rate 0.1, momentum 0.9, cosine schedule, no warm-up, 30 epochs, batch 100",
        "Rates: 0.9, 0.99. Seeds: 0--4 (n = 5). 1 trial diverged, and left out. 1 trial failed, and left out.",
        "over n = 5 pairs, corrected by Holm~\\cite{holm1979simple} over all m = 2 comparisons, at level 0.05.",
        "The dense baseline trains every weight.",
    ):
        assert words in made


def test_methods_that_other_trainings_choose_for_are_none_at_initialisation() -> None:
    record = {**METHODS["snip"], "criterion": "trained", "select": "LotteryTicket", "at_initialisation": False}
    lottery = [trial("lth", "0.9", s, 0.9, record=record) for s in range(3)]
    made = cited([*small(), *lottery])
    methods = made[made.index("Which weights") : made.index(" We trained")]
    assert methods == (
        "Which weights are trained is chosen before training. The methods are: FreezeNet~\\cite{wimmer2020freezenet,"
        "lee2019snip}; GraSP~\\cite{wang2020grasp}; SNIP~\\cite{lee2019snip}. Which weights are trained is chosen by "
        "other trainings of the same network, and so in no comparison with methods at initialisation, for: Lottery "
        "tickets~\\cite{frankle2019lottery}."
    )
    assert "Every frozen method at initialisation is compared with" in made
    assert "is chosen before training" not in cited(lottery)


def test_the_base_is_told_and_its_data_set_cited() -> None:
    rows = [*dense(BASE), *curve("freeze", BASE, {"0.9": 0.01}), *curve("snip", BASE, {"0.9": (0.01, 0.02, 0.0, 0.02)})]
    made = cited(rows)
    assert "others are kept at their values at the start (freezing" in made and "initial values" not in made
    assert "The dense training of each seed's base was on MNIST~\\cite{lecun1998gradient}." in made
    assert "over all m = 1 comparisons, at level" in made
    scratch = [row for m in ("freeze", "snip") for row in curve(m, None, {"0.9": (0.01, 0.03, 0.0, 0.02)})]
    both = cited([*rows, *scratch])
    assert "over all m = 2 comparisons of all starts together, at level" in both
    other = [row for m in ("freeze", "snip") for row in (trial(m, "0.9", s, 0.9, epochs=5) for s in range(3))]
    assert "m = 1 or 2 comparisons of each data set, network and protocol, all starts together" in cited(
        [*rows, *scratch, *other]
    )
    after = {**BASE, "dataset": "digits", "seed": 7, "start": BASE}
    (line,) = re.findall(r"The dense training of .*?\.", cited(dense(after)))
    assert line == (
        "The dense training of the base of all seeds was on Digits~\\cite{alpaydin1998optical,pedregosa2011scikit}, "
        "after one on MNIST~\\cite{lecun1998gradient}."
    )


def test_nothing_is_said_of_what_is_not_there() -> None:
    made = cited([trial("snip", "0.9", s, 0.9) for s in range(2)])
    assert "others are set to zero (pruning)" in made and "(freezing" not in made and "dense" not in made
    assert "No difference of freezing and pruning was tested: no pair has two seeds in common." in made
    assert not keys(made)[0] & {"wimmer2020freezenet", "holm1979simple", "student1908probable"}
    assert cited([]) == "No trial is in the store.\n"


def test_a_plug_in_is_named_and_cited_by_nothing() -> None:
    record = {**METHODS["snip"], "source": "ab" * 32}
    made = cited([trial("mine_%", "0.9", s, 0.9, record=record, model="lenet-300-100") for s in range(2)])
    assert "The methods are: mine\\_\\%." in made and "lee2019snip" not in keys(made)[0]


def test_methods_that_end_at_a_budget_have_a_sentence_of_their_own() -> None:
    names_of = ("budget-gate", "uniform-width")
    rows = [trial(name, "0.9", seed, 0.9, record=ALL[name].record()) for name in names_of for seed in range(2)]
    made = cited([*small(), *rows])
    said = "in no comparison with methods that choose weights, for: Budget gates~\\cite{enderich2021holistic}; Uniform"
    assert said in made.replace("\n", " ") and "changes while they are trained" not in made


def test_controls_are_cited_if_there_are_some() -> None:
    record = {**METHODS["snip"], "control": "shuffle"}
    rows = [*small(), *(trial("snip-shuffle", "0.9", s, 0.9, record=record) for s in range(2))]
    assert "Sanity controls~\\cite{frankle2021missing,su2020sanity}: shuffle." in cited(rows)


def test_every_method_data_set_network_and_initialiser_of_ours_is_known() -> None:
    # What no paper proposes.
    without = {"random", "channel-random", "random-channels", "magnitude", "scale-free-magnitude", "none"}
    without |= {"small-dense", "last-layer"}
    for method in ALL.values():
        record = method_record(canonical(method.record()))
        assert sources.choice(record) or record.fields["criterion"] in without
    assert sources.DATASETS.keys() == display_names.DATASETS.keys() == datasets.DATASETS.keys()
    assert sources.MODELS.keys() == display_names.MODELS.keys() == models.MODELS.keys()
    assert sources.INITIALISERS.keys() == models.INITIALISERS.keys() - {"normal"}


def test_every_method_of_ours_has_a_name_for_people() -> None:
    assert not [name for name in ALL if name != "dense" and display_names.method_name(name) == name]


def test_every_key_of_the_sources_is_a_reference_and_none_is_left_over() -> None:
    tables = [v for name, v in vars(sources).items() if name.isupper() and isinstance(v, dict)]
    used = {key for table in tables for of in table.values() for key in of}
    used |= {*sources.CONTROLS, *sources.HOLM, *sources.EQUIVALENCE, *sources.PACKAGE}
    assert used == REFERENCES.keys()


def test_the_citation_file_has_the_version_of_the_package() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "CITATION.cff").read_text().splitlines() if ": " in line)
    assert lines["version"] == __version__ and lines["cff-version"] == "1.2.0" and lines["type"] == "software"


def test_it_is_of_the_sweep_that_is_asked_for() -> None:
    rows = small()
    for row in rows:
        row["sweeps"] = ("main", "extra") if row["rate"] == "0.9" and row["method"] == "snip" else ("main",)
    made = cited(rows, sweeps=["extra"])
    assert "The methods are: SNIP~\\cite{lee2019snip}." in made and "Rates: 0.9." in made
    assert names.TEST_ACCURACY not in made
