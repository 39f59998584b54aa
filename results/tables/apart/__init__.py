"""What stands apart: methods that are in no verdict of freeze or prune.

group           what their tables have in common
training_macs   what a training computes, and times dense
changing_masks  methods whose masks change while training: figures, and what training them costs
fading          methods whose background fades: what training them costs
budgets         methods that end at a budget: figures, counts, and each against uniform width
baselines       a small dense network and the classifier alone: figures and costs
scale_table     scaled backgrounds: the figure at each scale, and how far it is from freeze and prune
trained_first   methods whose masks follow from another training: figures, and what they cost
"""
