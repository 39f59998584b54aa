"""One training step: dense, sparse, batched.

network           what the engine trains: the model itself, or its sparse stand-in
displacement      weight decay towards the start
live_optimizer    the one rule, weight = where(mask, trained, background), held by construction
fading            the dead weights while their background fades
carried_state     the state of an optimizer when the masks change
updates           the update rules: torch's fused optimizers in functional form
learning_rate     the learning rate of a step
sparse_network    the model with its large layers replaced, for the sparse step
sparse_layers     layers of a pruned network whose live weights are one compact vector
frozen_layers     layers of a frozen network of which only the live weights are trained
csr_pattern       the live weights of a layer as a sparse matrix
fused_tail        the tail of a network, with its training step written out
tail_layers       the layers of such a tail besides the sparse ones
batched_networks  many networks of one architecture as one, every tensor stacked
convolution       a convolution as a product of its patches, with its gradients written out
kept_network      a copy of a network as it was, and computing with it again
cuda_graph        a step recorded once and replayed
"""
