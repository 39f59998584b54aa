"""Run the comparison: command line, trial identity, training engine, schedule and tracking."""
