"""What a trial is, and its identity. No torch.

spec       TrialSpec: one trial, completely described; run key and group key
sweep      methods × rates × seeds of one protocol, as a list of trials
search     what `tune` looks for and how hard
step_kind  dense or sparse step, of a trial and of each layer: a fixed function of rate and shapes
pack_kind  by itself, or how it is batched with others, of a trial
packs      which trials are trained together
streams    one 32-bit seed per trial, one independent random stream per purpose
result     what a trial leaves behind, and the events on its way there
plugins    the methods a user can name: METHODS, installed plug-ins, --plugin files
"""
