"""`bench plan`: what is to be compared, before it is trained; and the looks of other commands at it.

command   the command: checks, and the plan into the store
record    from a sweep to what is planned of it
looking   table, report, plot: the plans of the store, and that somebody looks
listed    what `list plans` prints, as rows
"""
