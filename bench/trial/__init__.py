"""What a trial is, and its identity. No torch.

spec             TrialSpec: one trial, completely described; run key and group key
protocol         how a trial is trained: one row per field, which everything else reads
field_row        what such a row says: range, option, words, …
optimizers       UPDATES: everything that is said of an optimizer, in one row
schedules        SCHEDULES: everything that is said of a learning-rate schedule, in one row
start            what the weights are before training: the base of a trial, and what is taken of it
changing_masks   what a trial must be for its method to change the masks while it is trained
needs            the trials that others need: all of them, and what training that takes
sweep            methods × rates × seeds of one protocol, as a list of trials
grammar          the small languages: rates and seeds
search           what `tune` looks for and how hard
step_kind        dense or sparse step, of a trial and of each layer: a fixed function of rate and shapes
pack_kind        how a trial is trained with others: by itself, or batched in one of two ways
packs            which trials are trained together
streams          one 32-bit seed per trial, one independent random stream per purpose
result           what a trial leaves behind, and the events on its way there
networks         networks of libraries, and what is found of a network from outside
outside          networks, data sets, optimizers and schedules from outside
loading          the code of plug-ins, loaded: --plugin files, installed packages
plugins          what a user can name: METHODS and the tables with what plug-ins add
"""
