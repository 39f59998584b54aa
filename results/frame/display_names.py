"""The names that people write: SNIP, FreezeNet, LeNet-5-Caffe, MNIST. A name without a row stays, as a plug-in's."""

from __future__ import annotations

# What chooses the weights -> its name.
CHOICES = {
    "snip": "SNIP",
    "grasp": "GraSP",
    "random": "Random",
    "magnitude": "Magnitude",
    "iter-snip": "Iterative SNIP",
    "synflow": "SynFlow",
    "synflow-l2": "SynFlow-L2",
    "ntk-sap": "NTK-SAP",
    "px": "PX",
    "force": "FORCE",
    "prospr": "ProsPr",
    "scale-free-magnitude": "Scale-free magnitude",
    "uniform-magnitude": "Layer-wise magnitude",
    "random-uniform": "Random uniform",
    "random-er": "Random ER",
    "random-erk": "Random ERK",
    "random-like-snip": "Random like SNIP",
    "random-like-grasp": "Random like GraSP",
    "random-like-synflow": "Random like SynFlow",
    "fisher": "Fisher",
    "gradient": "Gradient",
    "small-magnitude": "Smallest magnitude",
    "filter-snip": "SNIP of filters",
    "filter-magnitude": "Magnitude of filters",
    "filter-random": "Random filters",
    "channel-snip": "SNIP of channels",
    "rigl": "RigL",
    "set": "SET",
    "gmp": "Gradual magnitude",
    "dropback": "DropBack",
}
PAPERS = ("snip", "grasp", "iter-snip", "synflow", "synflow-l2", "ntk-sap", "px", "force", "prospr")
# Methods that papers name; any other of ours is what chooses the weights and what the others hold.
METHODS = {
    "freeze": "FreezeNet",
    "snip-freeze": "FreezeNet",
    "lth": "Lottery tickets",
    "lth-oneshot": "One-shot lottery tickets",
    "lt-sft": "LT-SFT",
    "lt-sft-oneshot": "One-shot LT-SFT",
    "random-freeze": "Random freezing",
    "random-prune": "Random pruning",
    "biases": "Biases alone",
    "last-layer": "Last layer alone",
    "small-dense": "Small dense network",
    "uniform-width": "Uniform width",
    "random-channels": "Random channels",
    "budget-gate": "Budget gates",
    "network-slimming": "Network slimming",
    "budget-gate-freeze": "Budget gates, frozen filters",
    "edge-popup": "Edge-popup",
    **{name: CHOICES[name] for name in (*PAPERS, "rigl", "set", "gmp", "dropback")},
    **{f"{name}-prune": CHOICES[name] for name in PAPERS},
}
BACKGROUNDS = {"freeze": "frozen", "prune": "pruned"}
# How a sentence speaks of the weights that are not trained, if "SNIP's weights" would be no English.
WEIGHTS = {
    "random": "randomly chosen weights",
    "magnitude": "the smallest weights",
    "scale-free-magnitude": "the smallest weights for their layer's scale",
    "uniform-magnitude": "the smallest weights of each layer",
    "random-uniform": "random weights, a like share of each layer,",
    "random-er": "random weights of ER densities",
    "random-erk": "random weights of ERK densities",
    "random-like-snip": "random weights of SNIP's densities",
    "random-like-grasp": "random weights of GraSP's densities",
    "random-like-synflow": "random weights of SynFlow's densities",
    "fisher": "the weights of least Fisher information",
    "gradient": "the weights of smallest gradient",
    "small-magnitude": "the largest weights",
    "filter-snip": "SNIP's filters",
    "filter-magnitude": "the filters of smallest weights",
    "filter-random": "randomly chosen filters",
    "channel-snip": "SNIP's channels",
}
DATASETS = {
    "digits": "Digits",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "svhn": "SVHN",
    "caltech101": "Caltech-101",
}
MODELS = {
    "lenet-300-100": "LeNet-300-100",
    "lenet-5-caffe": "LeNet-5-Caffe",
    "lenet-5-caffe-relu": "LeNet-5-Caffe with ReLU",
    "conv-bn": "Conv-BN",
    "vgg16-d": "VGG-D",
    "vgg-c": "VGG-C",
    "vgg-like": "VGG-like",
    "vgg16-bn": "VGG-16",
    "vgg11-bn": "VGG-11",
    "vgg19-bn": "VGG-19",
    "resnet20": "ResNet-20",
    "resnet32": "ResNet-32",
    "resnet56": "ResNet-56",
    "resnet110": "ResNet-110",
    "resnet20-proj": "ResNet-20 with projections",
    "resnet32-proj": "ResNet-32 with projections",
    "resnet32-x2": "ResNet-32 of twice the width",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "wrn-16-8": "WRN-16-8",
    "wrn-22-8": "WRN-22-8",
    "mobilenet-v1": "MobileNet v1",
}


def data_set_name(label: str) -> str:
    """The name of a data set by its label, with the classes that it names.

    >>> data_set_name("cifar10"), data_set_name("cifar10:classes=0-4,7"), data_set_name("folder:cats")
    ('CIFAR-10', 'CIFAR-10, classes 0-4,7', 'folder:cats')
    """
    whole, choice, classes = label.partition(":classes=")
    return f"{DATASETS[whole]}{choice and f', classes {classes}'}" if whole in DATASETS else label


def method_name(label: str) -> str:
    """The name of a method by its label in a section, with the fields that the label adds.

    >>> method_name("freeze"), method_name("grasp-freeze"), method_name("snip (scope=erk)"), method_name("mine-prune")
    ('FreezeNet', 'GraSP, frozen', 'SNIP (scope=erk)', 'mine-prune')
    >>> method_name("freeze:scale=0.25"), method_name("random-er-freeze:scale=2"), method_name("lth:scale=0.5")
    ('SNIP, scale 0.25', 'Random ER, scale 2', 'Lottery tickets, scale 0.5')
    >>> method_name("freeze:fade=linear"), method_name("freeze:scale=0.5:fade=cosine:fade_to=0.1:fade_until=0.9")
    ('FreezeNet, linear fade to 0', 'SNIP, scale 0.5, cosine fade to 0.1 until 0.9')
    """
    name, bracket, fields = label.partition(" (")
    constant, _, fading = name.partition(":fade=")
    if fading:
        return f"{method_name(constant)}{_fading(fading)}{bracket}{fields}"
    frozen, scaled, scale = name.partition(":scale=")
    if scaled:
        choice = "snip" if frozen == "freeze" else frozen.removesuffix("-freeze")
        return f"{CHOICES.get(choice) or METHODS.get(frozen, frozen)}, scale {scale}{bracket}{fields}"
    choice, _, background = name.rpartition("-")
    composed = (
        f"{CHOICES[choice]}, {BACKGROUNDS[background]}" if choice in CHOICES and background in BACKGROUNDS else ""
    )
    return f"{METHODS.get(name) or composed or name}{bracket}{fields}"


def _fading(settings: str) -> str:
    """How a background fades, from what follows `fade=` in a label."""
    path, *others = settings.split(":")
    values = dict(other.partition("=")[::2] for other in others)
    until = f" until {values['fade_until']}" if "fade_until" in values else ""
    return f", {path} fade to {values.get('fade_to', '0')}{until}"


def weights_name(pruned: str) -> str:
    """How a sentence speaks of the weights that a pruning method, by its label, takes away.

    >>> weights_name("snip"), weights_name("random-prune"), weights_name("mine-prune (rounds=3)")
    ("SNIP's weights", 'randomly chosen weights', "mine's weights (rounds=3)")
    """
    name, bracket, fields = pruned.partition(" (")
    choice = name.removesuffix("-prune")
    weights = WEIGHTS.get(choice) or f"{CHOICES.get(choice, choice)}'s weights"
    return f"{weights}{bracket}{fields}"
