"""Methods that end at a budget of parameters and of multiply-accumulates. Imports no torch.

uniform_width    the baseline: every width of the network scaled alike, before training
random_channels  channels drawn at random, before training
to_budget        what methods share that close channels in the middle of the training, by BatchNorm's scale
budget_gate      gates closed while training under the pressure of two budgets
slimming         network slimming: an L1 penalty on BatchNorm's scales
"""
