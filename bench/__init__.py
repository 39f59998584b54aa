"""Run the comparison. Where to look, in the order in which data flows:

command line   cli, arguments, grammar, catalogue, commands, run, listing, messages
identity       spec (TrialSpec, run key), sweep, steps, streams
engine         train, prepare, live (the one rule), network, updates, learning_rate, gradients, cost, memory,
               arithmetic; the sparse step: sparse_network, sparse_layers, pattern
execution      schedule (Ray; with worker, events, ray_options), local, progress
storage        tracking (MLflow; with recorder, delivery, store, stored, pages), spool and intake (offline folder),
               places, entry, result, environment, names
measurement    speed_command; speed (a step; with researcher), calibrate, machine_speed (whole trials on all cores; with
               bare, timed_run, timed_recorder)
"""
