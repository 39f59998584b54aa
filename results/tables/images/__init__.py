"""Intervals over seeds and test images, in the tables.

two_way_words  what they are, and where there is none
pooled_table   freeze − prune pooled over criteria
"""
