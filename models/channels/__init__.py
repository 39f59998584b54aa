"""The channels of a network that can be closed: in groups, counted, chosen to a budget, and cut out.

groups    a group of channels, and what of a network its widths decide
counts    parameters and multiply-accumulates of any widths: exact, relaxed, and what one channel costs
budgets   budgets of both, the floor below which no network is, and the same share of every width
commit    which channels stay open, from a score of each and a budget
axes      where each channel goes in one pass, seen below autograd
finding   the groups of a network, found from the network itself
surgery   channels closed in place; the same network with smaller tensors, and back
"""
