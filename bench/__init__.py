"""Run the comparison. Where to look, in the order in which data flows:

command line   cli, options, arguments, grammar, catalogue, commands, list_command, presets, run, tune, dry_run,
               listing, messages
identity       spec (TrialSpec, run key), sweep, search, steps, packs, streams
engine         train, member, prepare, initial, trainers, live (the one rule), updates, learning_rate, evaluate,
               arithmetic; what is measured: gradients, flow, paths, cost, memory, checksums; one trial: network,
               sparse_network, chain, links, sparse_layers, frozen_layers, pattern; a pack: stack, replay
execution      schedule (Ray; with worker, events, ray_options), local, progress; for tune: asha, candidates, chosen
storage        tracking (MLflow; with recorder, delivery, store, stored, pages), spool and intake (offline folder),
               places, entry, result, environment, names; checkpoint (trials that were stopped), files
networks       artefact (write, read, load; with container, state, mask_codec, value_codec, value_types), narrow,
               network_commands
measurement    speed_command; speed (a step; with contenders, researcher), calibrate, mask_speed, machine_speed (whole
               trials on all cores; with bare, timed_run, timed_recorder)
"""
