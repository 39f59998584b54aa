"""The methods: which weights are trained, and what the others hold. METHODS is the page to read first.

A row is a name and a method on the mask-selection interface (`methods.base.Method`). The first name of a method is the
one the tables print; a later row with the same record is an alias and trains nothing twice. Imports no torch.
"""

from methods.base import Background, Batches, Loss, Masks, Method, Scores
from methods.iterative import IterativeSNIP
from methods.papers import SNIP, Dense, FreezeNet, GraSP, RandomFreezing, RandomPruning

__all__ = [
    "METHODS",
    "SNIP",
    "Background",
    "Batches",
    "Dense",
    "FreezeNet",
    "GraSP",
    "IterativeSNIP",
    "Loss",
    "Masks",
    "Method",
    "RandomFreezing",
    "RandomPruning",
    "Scores",
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
    # Aliases.
    "snip-freeze": FreezeNet(),
    "snip-prune": SNIP(),
    "grasp-prune": GraSP(),
    "iter-snip-prune": IterativeSNIP(),
}
