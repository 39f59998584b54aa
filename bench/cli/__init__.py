"""The command line. Whatever is wrong is one line on stderr, before anything is written.

cli                  the commands, and one-line errors
error_report         what is said and kept of an error that nobody foresaw
requests             what each command is asked: frozen requests, whose fields are its options
shell                the help in groups, values that are names, completion
config               config files: reading, writing, precedence
options              from a request's fields to click's options, and back
protocol_options     the options of the protocol, and the fields of a trial that they give
streams              the standard streams, whatever the process was started with
arguments            from requests to checked sweeps
run                  the `run` command
plan                 the `plan` command, and the looks of others at plans
tune                 the `tune` command
dry_run              `run --dry-run`: what a sweep would take, from a short calibration
next_steps           the last line of run and tune: what to do next
presets              the protocols of the papers, each field labelled with its origin
tracking             `run --tracking`: what is written beside the store
results_commands     table, report, power, plot: what shows the store
store_commands       import, ui: the store itself
doctor               doctor: what is wrong with the store
list_command         the `list` command
listing              what `list` prints, as rows
networks             what is found of one network
network_commands     narrow, and export to another file: what rebuilds networks of the store
verify_command       verify
speed_commands       what these do
"""
