"""How fast it is: `bench speed NAME` is the file of that name.

step            a training step against a plain researcher's loop, interleaved in one process
trials          whole trials on all cores, as `run` trains them and by bare engines side by side
scoring         how long each criterion takes to choose the live weights, in how much memory
masks           how fast and how small a mask of 20 million weights is coded
store           what reading a store of many trials takes
packs           which kind of batched step is faster for a network, and how much memory each moves
limits          at which live fraction a layer's sparse step is faster than its dense one
first_contact   what of the engine works on a card, and how fast, in minutes: a program of its own
contenders      what `step` times: the researcher's step, and the engine's, singly and in packs
baseline_loop   a plain researcher's loop, what the engine is measured against
large_store     such a store, made of a few trials that are trained
bare            bare engines side by side, each in a process of its own
timed_run       a sweep as `run` trains it, in a fresh process, with a stopwatch at its store
timed_recorder  the recorder with a stopwatch
rounds          the rounds of a measurement: as many as its time allows
machine         the machine that the figures depend on
"""
