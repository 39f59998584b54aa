"""From a spec to a network at its first step.

prepare     everything before the first step: split, initial weights, masks, background
background  the weights before training, from seed, initialiser, method and masks
start       the weights of a base as the start of a trial
channels    the channels that a method closes, and the weights of what is left
whole       a network of its own widths, in the place of the one with closed channels
kept_state  what a method may keep of a trial: what a checkpoint gives back
parent      the trained network of another trial that a trial's method reads
modes       the mode in which a network is scored and measured
precision   how numbers are computed: precision, threads, determinism
checksums   what pins a network besides its weights: its mask, and what it answers
memory      peak memory of a stretch of work
"""
