"""Methods that end at a budget of parameters and of multiply-accumulates. Imports no torch.

uniform_width  the baseline: every width of the network scaled alike
"""
