"""Presets: the protocols of the papers, field by field, each field labelled with where it comes from. No torch.

A preset gives `run` other defaults; whatever is given on the command line replaces them, together with what
belongs to it (see `FieldRow.owner`). "paper": in the paper's text; "code": in the authors' released code, or in a
re-implementation that is named; "ours": nobody states it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Origin = Literal["paper", "code", "ours"]
Fields = dict[str, tuple[Any, Origin]]  # option of `run` -> value, and where it comes from


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The protocol of a paper."""

    source: str
    note: str  # what no field can say
    fields: Fields

    def options(self) -> dict[str, Any]:
        """The defaults it gives to `run`."""
        return {name: value for name, (value, _) in self.fields.items()}


SGD: Fields = {
    "optimizer": ("sgd", "paper"),
    "lr": (0.1, "paper"),
    "momentum": (0.9, "paper"),
    "weight_decay": (5e-4, "paper"),
    "schedule": ("step", "paper"),
    "gamma": (0.1, "paper"),
    "warmup_epochs": (0.0, "code"),
}
SNIP_MNIST: Fields = {
    "dataset": ("mnist", "paper"),
    "model": ("lenet-5-caffe", "paper"),
    "methods": ("snip,freeze", "ours"),
    "rates": ("0.98,0.99", "paper"),
    "seeds": ("20", "paper"),
    **SGD,
    "batch_size": (100, "paper"),
    "epochs": (250, "code"),
    "milestones": ("0.185185,0.37037,0.555555,0.74074,0.925925", "paper"),
    "validation_fraction": (0.1, "paper"),
    "criterion_per_class": (10, "ours"),
    "initialiser": ("xavier-normal", "paper"),
}
FREEZENET = "Wimmer et al., ACCV 2020, arXiv:2011.14087"
FREEZENET_MNIST: Fields = {
    "dataset": ("mnist", "paper"),
    "model": ("lenet-5-caffe-relu", "ours"),
    "methods": ("freeze,snip", "ours"),
    "rates": ("0.995", "paper"),
    "seeds": ("20", "ours"),
    "optimizer": ("sgd", "ours"),
    "lr": (0.1, "ours"),
    "momentum": (0.9, "ours"),
    "weight_decay": (5e-4, "ours"),
    "schedule": ("cosine", "ours"),
    "warmup_epochs": (1.0, "ours"),
    "batch_size": (100, "ours"),
    "epochs": (60, "ours"),
    "validation_fraction": (0.1, "ours"),
    "criterion_per_class": (10, "ours"),
    "initialiser": ("xavier-normal", "ours"),
}
GRASP: Fields = {
    "dataset": ("cifar10", "paper"),
    "model": ("vgg19-bn", "paper"),
    "methods": ("grasp,grasp-freeze,snip,freeze", "ours"),
    "rates": ("0.9,0.95,0.98", "paper"),
    "seeds": ("5", "ours"),
    **{name: (value, "code") for name, (value, _) in SGD.items()},
    "batch_size": (128, "code"),
    "epochs": (160, "code"),
    "milestones": ("0.5,0.75", "code"),
    "augmentation": ("flip-translate", "code"),
    "validation_fraction": (0.1, "ours"),
    "criterion_per_class": (10, "code"),
    "criterion_statistics": ("batch", "code"),
    "initialiser": ("he-normal", "ours"),
}
SYNFLOW: Fields = {
    "dataset": ("cifar100", "code"),
    "model": ("vgg16-bn", "code"),
    "methods": ("random-prune,random-freeze,magnitude-prune,magnitude-freeze,snip,freeze,grasp,grasp-freeze", "ours"),
    "rates": ("0.683772,0.9,0.943766,0.968377,0.982217,0.99,0.994377,0.996838,0.999", "code"),
    "seeds": ("3", "code"),
    **{name: (value, "code") for name, (value, _) in SGD.items()},
    "weight_decay": (1e-4, "code"),
    "nesterov": (True, "code"),
    "batch_size": (128, "code"),
    "epochs": (160, "code"),
    "milestones": ("0.375,0.75", "code"),
    "augmentation": ("flip-translate", "ours"),
    "validation_fraction": (0.1, "ours"),
    "criterion_per_class": (10, "code"),
    "criterion_statistics": ("running", "code"),
    "initialiser": ("he-normal", "code"),
}

HUBENS = "after the question of Hubens et al., 2021, arXiv:2112.08227: how far can a pre-trained network be pruned?"
PRETRAINING: Fields = {  # of the paper only its abstract is public
    "dataset": ("cifar10", "paper"),
    "model": ("vgg16-bn", "paper"),
    "methods": ("magnitude-prune,magnitude-freeze,snip,freeze,random-prune,random-freeze", "ours"),
    "rates": ("0.5,0.8,0.9,0.95,0.98,0.99,0.995", "ours"),
    "seeds": ("5", "ours"),
    "start": ("pretrained:cifar100", "ours"),
    "start_head": ("redrawn", "ours"),
    "start_norm": ("kept", "ours"),
    "when": ("before", "ours"),
    **{name: (value, "ours") for name, (value, _) in SGD.items()},
    "lr": (0.05, "ours"),
    "batch_size": (128, "ours"),
    "epochs": (60, "ours"),
    "milestones": ("0.5,0.75", "ours"),
    "augmentation": ("flip-translate", "ours"),
    "validation_fraction": (0.1, "ours"),
    "criterion_per_class": (10, "ours"),
    "initialiser": ("he-normal", "ours"),
}

HFP = "in the style of Enderich et al., WACV 2021, arXiv:2009.08169: filters pruned to two budgets while training"
BUDGET: Fields = {  # the released recipe of SynFlow's curves, on another data set and with other methods
    **{name: (value, "ours") for name, (value, _) in SYNFLOW.items()},
    "dataset": ("cifar10", "paper"),
    "methods": ("budget-gate,network-slimming,uniform-width,random-channels", "ours"),
    "rates": ("0.3,0.5,0.7,0.9", "ours"),
    "seeds": ("5", "ours"),
}


def _ours(fields: Fields, **changes: Any) -> Fields:
    """The fields, some of them with values that nobody states."""
    return {**fields, **{name: (value, "ours") for name, value in changes.items()}}


def _paper(fields: Fields, **changes: Any) -> Fields:
    """The fields, some of them with values that a paper states."""
    return {**fields, **{name: (value, "paper") for name, value in changes.items()}}


PRESETS: dict[str, Preset] = {
    "freezenet-mnist": Preset(
        source=FREEZENET,
        note="its available text states data, network, rate and one pass of scoring; the rest is the default protocol"
        " for twice its epochs. Whether a ReLU follows the convolutions it does not say: without it a rate of 0.1"
        " diverges here",
        fields=FREEZENET_MNIST,
    ),
    "freezenet-mnist-250": Preset(
        source=FREEZENET,
        note="as freezenet-mnist, but by SNIP's protocol, with a smaller rate and a warm-up, since without ReLU after"
        " the convolutions 0.1 diverges here",
        fields=_paper(
            _ours(
                {name: (value, "ours") for name, (value, _) in SNIP_MNIST.items()},
                methods="freeze,snip",
                rates="0.9,0.95,0.98,0.99,0.995",
                seeds="5",
                lr=0.05,
                warmup_epochs=1.0,
            ),
            dataset="mnist",
            model="lenet-5-caffe",
        ),
    ),
    "snip-mnist": Preset(
        source="Lee et al., ICLR 2019, arXiv:1810.02340",
        note="steps of 25,000 iterations, of 135,000 in 250 epochs; the number of epochs is that of mil-ad/snip; the"
        " sample is class-balanced, theirs a random batch of 100",
        fields=SNIP_MNIST,
    ),
    "snip-cifar10": Preset(
        source="Lee et al., ICLR 2019, arXiv:1810.02340",
        note="steps of 30,000 iterations, of the 150,000 of the released code's recipe; the sample is class-balanced,"
        " 130 images, theirs a random batch of 128",
        fields={
            **_ours(_paper(SNIP_MNIST, dataset="cifar10", model="vgg16-d", rates="0.95"), seeds="5"),
            "batch_size": (128, "paper"),
            "epochs": (426, "code"),
            "milestones": ("0.2,0.4,0.6,0.8", "paper"),
            "augmentation": ("flip-translate", "paper"),
            "criterion_per_class": (13, "ours"),
            "criterion_statistics": ("running", "code"),
        },
    ),
    "grasp-cifar10": Preset(
        source="Wang et al., ICLR 2020, arXiv:2002.07376, and alecwangcq/GraSP",
        note="it holds out no validation images, and scores a re-initialised copy on augmented images in two halves;"
        " its convolutions are drawn by fan-out",
        fields=GRASP,
    ),
    "grasp-cifar100": Preset(
        source="Wang et al., ICLR 2020, arXiv:2002.07376, and alecwangcq/GraSP",
        note="as grasp-cifar10",
        fields=_paper(GRASP, dataset="cifar100"),
    ),
    "synflow-cifar100": Preset(
        source="Tanaka et al., 2020, arXiv:2006.05467, and ganguli-lab/Synaptic-Flow",
        note="the recipe stored beside its VGG16 curves; no validation images are held out there",
        fields=SYNFLOW,
    ),
    "synflow-cifar10": Preset(
        source="Tanaka et al., 2020, arXiv:2006.05467, and ganguli-lab/Synaptic-Flow",
        note="the recipe of the CIFAR-100 curves, since none is stored beside those of CIFAR-10",
        fields={**{name: (value, "ours") for name, (value, _) in SYNFLOW.items()}, "dataset": ("cifar10", "code"),
                "model": ("vgg16-bn", "code"), "rates": SYNFLOW["rates"], "seeds": SYNFLOW["seeds"]},
    ),
    "pretraining-like": Preset(
        source=HUBENS,
        note="like it in data and network alone, which its abstract names; its body is not public to us, so nothing"
        " else is the paper's. Its base is trained on ImageNet: --start pretrained:torchvision/IMAGENET1K_V1 takes"
        " torchvision's; --start scratch is the other half of the comparison",
        fields=PRETRAINING,
    ),
    "pretraining-like-mobilenet": Preset(
        source=HUBENS,
        note="as pretraining-like; torchvision has no weights of MobileNet v1",
        fields=_paper(PRETRAINING, model="mobilenet-v1"),
    ),
    "budget-cifar10": Preset(
        source=HFP,
        note="budgets of parameters alone; budget-gate:macs=0.4 has a second one, of multiply-accumulates. Of the paper"
        " only its abstract is public to us, so nothing but the data set is its own",
        fields=BUDGET,
    ),
    "budget-cifar10-resnet56": Preset(
        source=HFP,
        note="as budget-cifar10; figures of other methods for this network are published: macs=0.474 is the share of"
        " most of them",
        fields=_ours(BUDGET, model="resnet56"),
    ),
}  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """One row per preset and field."""
    return [
        {"preset": name, "field": field, "value": value, "from": origin}
        for name, preset in PRESETS.items()
        for field, (value, origin) in preset.fields.items()
    ]
