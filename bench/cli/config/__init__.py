"""Config files of `run` and `tune`: TOML that says what the options say.

config_file   reading one: every key an option, every value of its type
layers        which value counts: the command line's, the file's, the preset's, the default
config_text   `--print-config`: the file that says the same as a command
command_text  the command line that says the same as a command and its file
"""
