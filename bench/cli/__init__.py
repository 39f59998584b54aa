"""The command line. Whatever is wrong is one line on stderr, before anything is written.

cli               the commands, and one-line errors
options           the options of the commands, as tables
protocol_options  the options of the protocol, and what they say, by its rows
arguments         from options to checked values
grammar           the small languages: rates and seeds
run               the `run` command
tune              the `tune` command
dry_run           `run --dry-run`: what a sweep would take, from a short calibration
progress          what a sweep shows while it runs, on stderr
presets           the protocols of the papers, each field labelled with its origin
commands          table, report, power, plot, import, ui
list_command      the `list` command
listing           what `list` prints, as rows
network_commands  export, verify, narrow
speed_command     the `speed` command
"""
