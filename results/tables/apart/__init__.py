"""What stands apart: methods in a group of their own, in no comparison with the others.

group           what their tables have in common
training_macs   what a training computes, and times dense
changing_masks  methods whose masks change while training: figures, and what training them costs
budgets         methods that end at a budget: figures, counts, and each against uniform width
baselines       a small dense network and the classifier alone: figures and costs
trained_first   methods whose masks follow from another training: figures, and what they cost
"""
