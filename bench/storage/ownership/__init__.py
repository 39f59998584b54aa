"""Who writes a run of the store, and when another may end it.

owner           the process that a run belongs to, and whether it is gone
heartbeat       a sign of life that an owner writes every minute
claims          which of several commands trains a trial that all of them lack
boards          where they post what they train: in a store, in an offline folder
leftovers       the runs that a process left running when it was killed, ended
working_folder  folders in the temporary folder, removed when their process is gone
"""
