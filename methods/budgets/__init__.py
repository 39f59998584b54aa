"""Methods that end at a budget of parameters and of multiply-accumulates. Imports no torch.

uniform_width    the baseline: every width of the network scaled alike, before training
small_dense      a dense network that stores as little as a rate, every width scaled alike
random_channels  channels drawn at random, before training
closing          what methods share that close channels, whenever they do: their budget
to_budget        what methods share that close channels in the middle of the training, by BatchNorm's scale
budget_gate      gates closed while training under the pressure of two budgets
filter_gate      filters trained, to budgets: the freezing twin of the gates
movements        how far filters are from their start, and this distance shrunk
gates            which channels are closed while training, and what the open ones cost
norm_scales      BatchNorm's scales and shifts as one vector
fields           types and ranges of the fields
slimming         network slimming: an L1 penalty on BatchNorm's scales
"""
