"""The store as one tidy frame.

collect        one row per trial of an MLflow store
conflicts      trials that the store has more than once with different results
spec_columns   the columns that follow from a trial's spec
stored_spec    the spec of a stored trial, checked: a damaged one costs its own row
history        figures over the epochs, of chosen trials
method_record  a method's record, parsed once
margin         the margin of equivalence: a number, or a share of the errors
plans          what was to be compared, written before it was trained; and the looks at it since
sections       trials that differ in method, rate and seed only; nothing else is ever merged
cut            some trials of a frame, with what they start from
starts         starts in words; protocols that differ in nothing else; trials that only others need
display_names  the names that people write: SNIP, LeNet-5-Caffe, MNIST
words          numbers and nouns as text
errors         the errors of a choice that is not among the known ones
back_end       matplotlib imported whatever back end MPLBACKEND names
"""
