"""The channels of a network that can be closed: found, and cut out. Their arithmetic is in `bench.channels`.

sets     channels that are seen to be open or closed together
ties     tensors that several layers have in common
flow     what is noted of the channels in one pass
rules    what each operation of that pass does with channels
axes     where each channel goes in it, seen below autograd
finding  the groups of a network, found from the network itself
filters  the filters of a network, and what belongs to each
surgery  channels closed in place; the same network with smaller tensors, and back
proof    that the network with smaller tensors is the same, after training and before it
"""
