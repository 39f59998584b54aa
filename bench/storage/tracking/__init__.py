"""What is written of a sweep beside its store or folder; a warning if that fails.

trackers    a listener that gives finished trials to a sink, off the critical path
csv_files   the finished trials and their epochs as two CSV files
wandb_runs  the trials as runs in Weights & Biases
"""
