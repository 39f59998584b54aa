"""What each method, data set, network, initialiser and test is cited by: keys of REFERENCES. Plug-ins have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.results.frame.method_record import PLAIN, MethodRecord

CRITERIA: dict[str, tuple[str, ...]] = {
    "snip": ("lee2019snip",),
    "grasp": ("wang2020grasp",),
    "synflow": ("tanaka2020synflow",),
    "synflow-l2": ("tanaka2020synflow", "gebhart2021unified", "patil2021phew"),
    "ntk-sap": ("wang2023ntksap",),
    "px": ("iurada2024finding",),
    "force": ("dejorge2021force",),
    "prospr": ("alizadeh2022prospr",),
    "trained-change": ("ansell2022composable",),
    "random-like": ("frankle2021missing", "su2020sanity"),
    "fisher": ("sung2021training",),
    "gradient": ("bhardwaj2024sparse",),
    "small-magnitude": ("liao2023parameter",),
    "uniform-width": ("liu2019rethinking",),
    "budget-gate": ("enderich2021holistic",),
    "filter-gate": ("enderich2021holistic",),
    "network-slimming": ("liu2017learning",),
    "channel-snip": ("lee2019snip", "verdenius2020pruning"),
    "gradual-magnitude": ("zhu2017prune",),
    "dropback": ("golub2019full",),
    "edge-popup": ("ramanujan2020hidden",),
}
SELECTIONS = {
    "IterativeSNIP": ("dejorge2021force",),
    "Biases": ("frankle2021training",),
    "LotteryTicket": ("frankle2019lottery",),
    "SparseTraining": ("evci2020rigging", "mocanu2018scalable"),
}
SCOPES = {"er": ("mocanu2018scalable",), "erk": ("mocanu2018scalable", "evci2020rigging")}
FREEZENET = ("snip", "freeze", "one-shot")
BACKGROUNDS = {"freeze": ("wimmer2020freezenet",)}
CONTROLS = ("frankle2021missing", "su2020sanity")
DATASETS: dict[str, tuple[str, ...]] = {
    "digits": ("alpaydin1998optical", "pedregosa2011scikit"),
    "mnist": ("lecun1998gradient",),
    "fashion-mnist": ("xiao2017fashion",),
    "cifar10": ("krizhevsky2009learning",),
    "cifar100": ("krizhevsky2009learning",),
    "svhn": ("netzer2011reading",),
    "caltech101": ("feifei2004learning",),
}
VGG, RESNET = ("simonyan2015deep",), ("he2016deep",)
MODELS: dict[str, tuple[str, ...]] = {
    "lenet-300-100": ("lecun1998gradient",),
    "lenet-5-caffe": ("lecun1998gradient", "lee2019snip"),
    "lenet-5-caffe-relu": ("lecun1998gradient",),
    **dict.fromkeys(("vgg16-d", "vgg-c", "vgg-like"), (*VGG, "lee2019snip")),
    **dict.fromkeys(("vgg16-bn", "vgg11-bn"), (*VGG, "tanaka2020synflow")),
    "vgg19-bn": (*VGG, "wang2020grasp"),
    **dict.fromkeys(
        ("resnet20", "resnet32", "resnet56", "resnet110", "resnet20-proj", "resnet32-proj", "resnet18", "resnet34"),
        RESNET,
    ),
    "resnet32-x2": (*RESNET, "wang2020grasp"),
    **dict.fromkeys(("wrn-16-8", "wrn-22-8"), ("zagoruyko2016wide",)),
    "mobilenet-v1": ("howard2017mobilenets",),
    "conv-bn": (),  # of this project
}
INITIALISERS: dict[str, tuple[str, ...]] = {
    "xavier-normal": ("glorot2010understanding",),
    "xavier-uniform": ("glorot2010understanding",),
    "he-normal": ("he2015delving",),
    "orthogonal": ("saxe2014exact",),
}
OPTIMIZERS = {"adam": ("kingma2015adam",), "adamw": ("kingma2015adam", "loshchilov2019decoupled")}
SCHEDULES = {"cosine": ("loshchilov2017sgdr",)}
TESTS: dict[str, tuple[str, ...]] = {
    "t": ("student1908probable",),
    "wilcoxon": ("wilcoxon1945individual", "pratt1959remarks"),
    "permutation": ("phipson2010permutation",),
}
HOLM, EQUIVALENCE, PACKAGE = ("holm1979simple",), ("schuirmann1987comparison",), ("freeze-or-prune",)


def data_set(label: str) -> tuple[str, ...]:
    """What a data set, or one of whose classes a trial has some, is cited by."""
    return DATASETS.get(label.partition(":classes=")[0], ())


def choice(record: MethodRecord) -> list[str]:
    """What the choice of a method's weights is cited by; a plug-in's by nothing that is known here."""
    fields = record.fields
    if "source" in fields:  # of a plug-in, whatever its name
        return []
    freezenet = (fields.get("criterion"), fields.get("background"), fields.get("select")) == FREEZENET
    keys = [
        *(BACKGROUNDS["freeze"] if freezenet else ()),
        *_of(SELECTIONS, fields, "select"),
        *_of(CRITERIA, fields, "criterion"),
        *_of(SCOPES, fields, "scope"),
    ]
    keys += _of(CRITERIA, fields, "like")
    keys += CONTROLS if record.control != PLAIN else ()
    return list(dict.fromkeys(keys))


def _of(table: Mapping[str, Sequence[str]], fields: Mapping[str, Any], name: str) -> Sequence[str]:
    """The keys of a field's value, if it is a name of ours."""
    value = fields.get(name)
    return table.get(value, ()) if isinstance(value, str) else ()
