"""`bench doctor`: what is wrong with a store, and what of it can be put right.

command   the command: all checks, and what `--fix` does
finding   one thing that is wrong
runs      what killed processes left running, and files that belong to no run
records   trials that disagree, cannot be read, or are of several engines
networks  networks that are missing or damaged
delivery  results that wait to be delivered
"""
