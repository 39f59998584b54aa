"""The tables, in words and numbers.

formats            text blocks as GitHub Markdown and LaTeX
section_page       one section: its blocks in reading order
accuracy_tables    method × rate, and percent of dense
answer             the answer, in the sentences a person says
freeze_vs_prune    every frozen method against the pruned one that chooses the same weights
against_reference  every other method against the reference
apart              methods in a group of their own, in no comparison with the others
columns            the columns of every table of comparisons, a row each, in words and values
marks              what is said once of variants of a family and of doubts about a comparison
images             intervals over seeds and test images: in words, and pooled over criteria
captions           the sentences around the tables
reach              what a number of pairs allows to conclude
exclusions         what the tables leave out, and warnings
protocol           how and where the trials were trained, in words
costs              what a rate costs: parameters, bytes, multiply-accumulates, collapsed layers
controls           sanity controls beside their methods
tuned              the hyper-parameters that were chosen, and how
start              where networks start: the bases, their bytes, and how far a network can be pruned from each
published          published figures beside the store's
rank_table         the section of the ranks
planned            of the plan: as planned, or each departure, in words and values
power_table        the table of `bench power`
html_page          text blocks as one HTML page
export             at full precision: cells as CSV; cells, comparisons and words as JSON
schema             the JSON Schema of that JSON, a file a version
"""
