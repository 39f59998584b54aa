"""What is computed of a frame.

stats         statistics of paired figures, as pure functions of arrays
multiplicity  Holm's adjustment, and what n pairs can reach in a family of m
cells         what the table says of a method at a rate
cell_values   what the machine-readable forms say of a cell
two_way       intervals over seeds and test images
comparisons   what the table says of the difference of two methods at a rate
pooled        freeze − prune pooled over criteria, at a rate
families      comparisons that are corrected together, of one section or of several
spending      a level spent over looks: at which nominal level each may mark
planned       a plan held against the store: how far it is, its level, its family
view          what is asked of a frame: what to compute, and what of it to show
analysis      everything that is computed of one section
scales        a figure over the scale of the background, of methods that choose the same weights
largest_rate  how far a method can go within a margin of its dense network, and what a start adds to that
near_chance   cells in which some seeds trained and others are near chance
power         how many seeds a difference needs
ranks         methods across data sets, networks and rates: mean ranks and Nemenyi's test
friedman      Friedman's test, exact if there are few blocks
shown_cells   the sections and cells that the filters leave, for a plot
"""
