"""What a shell and its user see of the commands before one is carried out.

groups      the groups of options, as the help and a config file show them
values      what a name or a comma list may be: completed by the shell, read from a config file
completion  the scripts with which bash, zsh and fish complete commands, options and values
"""
