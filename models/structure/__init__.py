"""What is found of a network from outside before it is trained: right, or refused in one line that names the layer.

structure     Structure: all that is found, once for each network
layers        the layers with a weight, and what is refused by its type
weight_use    the products that each weight takes part in
one_pass      one step of training on the meta device: output, gradients, order
values        what only values show, on the CPU: random numbers, state, dependence on the batch
construction  what differs between two constructions of a network
stand_ins     layers replaced by others: which can be, and whether the network then calls those
batching      whether several networks can be computed as one
fingerprint   what a network is made of, as one hash
"""
