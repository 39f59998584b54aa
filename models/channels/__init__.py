"""The channels of a network that can be closed: found, and cut out. Their arithmetic is in `bench.channels`.

sets     channels that are seen to be open or closed together
axes     where each channel goes in one pass, seen below autograd
finding  the groups of a network, found from the network itself
filters  the filters of a network, and what belongs to each
surgery  channels closed in place; the same network with smaller tensors, and back
"""
