"""The widths of a network as numbers: what its channels cost, and which stay open. Imports no torch.

groups         a group of channels, and what of a network its widths decide
counts         parameters and multiply-accumulates of any widths: exact, relaxed, and what one channel costs
budgets        budgets of both, the floor below which no network is, and the same share of every width
selection      which channels are open
channel_state  the channels that are open now, and what they cost: closed and opened one by one
filters        the filters of a network, what training each costs, and which are trained to a budget
commit         which channels stay open, from a score of each and a budget
"""
