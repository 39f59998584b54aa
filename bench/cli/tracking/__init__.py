"""What a sweep leaves beside its trials: its page in MLflow, tables, runs elsewhere.

sweep_page  the answer of a sweep on its page in MLflow, with table, plots and report
trackers    `run --tracking`: what is written beside the store
"""
