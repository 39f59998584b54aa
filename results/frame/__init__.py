"""The store as one tidy frame.

collect   one row per trial of an MLflow store
history   figures over the epochs, of chosen trials
sections  trials that differ in method, rate and seed only; nothing else is ever merged
metrics   how a metric is shown: its words, its unit and which way is better
errors    complaints about a choice that is none of the allowed
"""
