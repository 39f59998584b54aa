"""The networks of the store, and those that nothing is stored of yet.

export_command   the `export` command
run_network      the stored network of a run
bases            the bases that networks need
network_listing  what `list models --model` prints
"""
