"""Where networks start: the bases, what they cost, and how far a network can be pruned from each start.

bases                the trials that others start from or need, in words
task_bytes           the bytes of several tasks from one base, beside those of pruned and of dense networks
largest_rate_table   how far a method can go within a margin of its dense network, from each start
largest_rate_words   what is said of the largest rates
records              the starts in the machine-readable forms, and the groups that only they have
bounds_text          rates, differences and factors that may be known by their bounds only, as text
"""
