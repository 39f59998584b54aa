"""The methods: which weights are trained, and what the others hold. METHODS is the page to read first.

A row is a name and a method on the mask-selection interface (`bench.methods.base.Method`). The first name of a method
is the one the tables print; a later row with the same record is an alias and trains nothing twice. Imports no torch.

base         the mask-selection interface: what a method is
background   what dead weights hold: scale · their value at the start
fading       the background while it fades
identity     what identifies a method: its fields and its source
types        the types that methods, criteria and scopes share
papers       the papers' one-shot methods, a few declarative lines each; dense, and biases alone
last_layer   the classifier trained alone
budgets      smaller networks, to a budget of parameters and multiply-accumulates
rounds       the methods that choose in rounds: iterative SNIP, FORCE, SynFlow, NTK-SAP, PX
changing     methods whose masks change while training
lottery      masks from a trained network: iterative magnitude pruning, LT-SFT
matched      random masks with the layer densities of a criterion
criteria     what scores the weights before training, a function each; higher = keep live
prospr       ProsPr's score
fisher       Fisher information: the squared gradient of each image alone
channels     scores of output channels, for whole filters
derivatives  derivatives of the loss by the weights; the model is never changed
scopes       (scores, rate) -> masks, exactly `live_count(rate, N)` live; and the check of any method's count
filters      whole filters, as far as they fit
counts       how many weights are live: the one rounding rule
maskable     which parameters are maskable: the one rule
controls     sanity controls
"""

from bench.methods.base import Method
from bench.methods.budgets.budget_gate import BudgetGate
from bench.methods.budgets.filter_gate import FilterGate
from bench.methods.budgets.random_channels import RandomChannels
from bench.methods.budgets.slimming import NetworkSlimming
from bench.methods.budgets.small_dense import SmallDense
from bench.methods.budgets.uniform_width import UniformWidth
from bench.methods.changing.edge_popup import EdgePopup
from bench.methods.changing.gradual import DropBack, GradualMagnitude
from bench.methods.changing.sparse_training import SparseTraining
from bench.methods.last_layer import LastLayer
from bench.methods.lottery import LotteryTicket
from bench.methods.matched import RandomLike
from bench.methods.papers import (
    SNIP,
    Biases,
    Dense,
    Fisher,
    FreezeNet,
    GraSP,
    ProsPr,
    RandomFreezing,
    RandomPruning,
    has_rates,
    only_rate,
)
from bench.methods.rounds.papers import FORCE, NTKSAP, PX, IterativeSNIP, SynFlow, SynFlowL2
from bench.methods.types import Background, Batches, Loss, Masks, Scores

__all__ = [
    "FORCE",
    "METHODS",
    "NTKSAP",
    "PX",
    "SNIP",
    "Background",
    "Batches",
    "Biases",
    "Dense",
    "DropBack",
    "EdgePopup",
    "Fisher",
    "FreezeNet",
    "GraSP",
    "GradualMagnitude",
    "IterativeSNIP",
    "LastLayer",
    "Loss",
    "LotteryTicket",
    "Masks",
    "Method",
    "ProsPr",
    "RandomFreezing",
    "RandomLike",
    "RandomPruning",
    "Scores",
    "SmallDense",
    "SparseTraining",
    "SynFlow",
    "SynFlowL2",
    "UniformWidth",
    "has_rates",
    "only_rate",
]

METHODS: dict[str, Method] = {
    # The papers' methods.
    "dense": Dense(),
    "freeze": FreezeNet(),
    "snip": SNIP(),
    "grasp": GraSP(),
    "random-freeze": RandomFreezing(),
    "random-prune": RandomPruning(),
    # Compositions: criterion × background.
    "grasp-freeze": GraSP(background="freeze"),
    "magnitude-freeze": Method(criterion="magnitude", background="freeze"),
    "magnitude-prune": Method(criterion="magnitude", background="prune"),
    "iter-snip": IterativeSNIP(),
    "iter-snip-freeze": IterativeSNIP(background="freeze"),
    "synflow": SynFlow(),
    "synflow-freeze": SynFlow(background="freeze"),
    "synflow-l2": SynFlowL2(),
    "synflow-l2-freeze": SynFlowL2(background="freeze"),
    "ntk-sap": NTKSAP(),
    "ntk-sap-freeze": NTKSAP(background="freeze"),
    "px": PX(),
    "px-freeze": PX(background="freeze"),
    "force": FORCE(),
    "force-freeze": FORCE(background="freeze"),
    "prospr": ProsPr(),
    "prospr-freeze": ProsPr(background="freeze"),
    "scale-free-magnitude-freeze": Method(criterion="scale-free-magnitude", background="freeze"),
    "scale-free-magnitude-prune": Method(criterion="scale-free-magnitude", background="prune"),
    "uniform-magnitude-freeze": Method(criterion="magnitude", scope="uniform", background="freeze"),
    "uniform-magnitude-prune": Method(criterion="magnitude", scope="uniform", background="prune"),
    # Random masks with layer densities that are not those of chance.
    "random-uniform-freeze": Method(criterion="random", scope="uniform", background="freeze"),
    "random-uniform-prune": Method(criterion="random", scope="uniform", background="prune"),
    "random-er-freeze": Method(criterion="random", scope="er", background="freeze"),
    "random-er-prune": Method(criterion="random", scope="er", background="prune"),
    "random-erk-freeze": Method(criterion="random", scope="erk", background="freeze"),
    "random-erk-prune": Method(criterion="random", scope="erk", background="prune"),
    "random-like-snip-freeze": RandomLike(like="snip", background="freeze"),
    "random-like-snip-prune": RandomLike(like="snip"),
    "random-like-grasp-freeze": RandomLike(like="grasp", background="freeze"),
    "random-like-grasp-prune": RandomLike(like="grasp"),
    "random-like-synflow-freeze": RandomLike(like="synflow", background="freeze"),
    "random-like-synflow-prune": RandomLike(like="synflow"),
    # Masks of sparse fine-tuning; and the floor under every freezing method.
    "fisher-freeze": Fisher(background="freeze"),
    "fisher-prune": Fisher(background="prune"),
    "gradient-freeze": Method(criterion="gradient", background="freeze"),
    "gradient-prune": Method(criterion="gradient", background="prune"),
    "small-magnitude-freeze": Method(criterion="small-magnitude", background="freeze"),
    "small-magnitude-prune": Method(criterion="small-magnitude", background="prune"),
    "biases": Biases(),
    # Baselines beside every table: in a group of their own, and in no verdict.
    "last-layer": LastLayer(),
    "small-dense": SmallDense(),
    # Whole filters; every one-shot method has them with scope=filter.
    "filter-snip-freeze": FreezeNet(scope="filter"),
    "filter-snip-prune": SNIP(scope="filter"),
    "filter-magnitude-freeze": Method(criterion="magnitude", scope="filter", background="freeze"),
    "filter-magnitude-prune": Method(criterion="magnitude", scope="filter", background="prune"),
    "filter-random-freeze": Method(criterion="channel-random", scope="filter", background="freeze"),
    "filter-random-prune": Method(criterion="channel-random", scope="filter", background="prune"),
    "channel-snip-freeze": Method(criterion="channel-snip", scope="filter", background="freeze"),
    "channel-snip-prune": Method(criterion="channel-snip", scope="filter", background="prune"),
    # Smaller networks.
    "uniform-width": UniformWidth(),
    "random-channels": RandomChannels(),
    # Masks from a trained network: not at initialisation, and so in no comparison with the methods above.
    "lth": LotteryTicket(),
    "lt-sft": LotteryTicket(criterion="trained-change", background="freeze"),
    "lth-oneshot": LotteryTicket(fraction=1.0),
    "lt-sft-oneshot": LotteryTicket(criterion="trained-change", background="freeze", fraction=1.0),
    # Masks that change while training: in a group of their own too.
    "rigl": SparseTraining(),
    "rigl-freeze": SparseTraining(background="freeze"),
    "set": SparseTraining(growth="random"),
    "set-freeze": SparseTraining(growth="random", background="freeze"),
    "gmp": GradualMagnitude(),
    "gmp-freeze": GradualMagnitude(background="freeze"),
    "dropback": DropBack(background="freeze"),
    "dropback-prune": DropBack(),
    "edge-popup": EdgePopup(),
    "budget-gate": BudgetGate(),
    "network-slimming": NetworkSlimming(),
    "budget-gate-freeze": FilterGate(),
    # Aliases.
    "snip-freeze": FreezeNet(),
    "snip-prune": SNIP(),
    "grasp-prune": GraSP(),
    "iter-snip-prune": IterativeSNIP(),
    "synflow-prune": SynFlow(),
    "synflow-l2-prune": SynFlowL2(),
    "ntk-sap-prune": NTKSAP(),
    "px-prune": PX(),
    "force-prune": FORCE(),
    "prospr-prune": ProsPr(),
    "rigl-prune": SparseTraining(),
    "set-prune": SparseTraining(growth="random"),
    "gmp-prune": GradualMagnitude(),
    "dropback-freeze": DropBack(background="freeze"),
}

if __name__ != "bench.methods":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'methods': import bench.methods now", name="methods")
