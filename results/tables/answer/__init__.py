"""The answer, in the sentences a person says.

sentences  from the frame and the view: a sentence for each pair of a frozen and a pruned method
verdicts   what a comparison establishes, in a word and in a clause
caveats    what to doubt: seeds that diverged, networks that are cut, cells near chance
"""
