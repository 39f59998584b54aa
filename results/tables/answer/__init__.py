"""The answer, in the sentences a person says.

sentences  from the frame and the view: a sentence for each pair of a frozen and a pruned method
pairs      the table of the pairs, both figures beside one another
verdicts   what a comparison establishes, in a word and in a clause
caveats    what to doubt: seeds that diverged, networks that are cut, cells near chance
summary    what a notebook shows: the answer, and the table of the pairs
"""
