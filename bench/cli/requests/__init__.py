"""What each command is asked: a frozen request, whose fields are the command's options.

shared    options that several commands have
sweep     run, tune
plan      plan
store     table, report, power, plot, list, import, ui
networks  export, verify, narrow
shell     completion
speed     the commands of `speed`
"""
