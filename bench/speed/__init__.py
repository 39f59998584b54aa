"""How fast it is.

speed           a training step against a plain researcher's loop, interleaved in one process
contenders      what is timed: the researcher's step, and the engine's, alone and in packs
baseline_loop   a plain researcher's loop, what the engine is measured against
calibrate       at which live fraction a layer's sparse step is faster than its dense one
mask_speed      how fast and how small a mask of 20 million weights is coded
criteria_speed  how long each criterion takes to choose the live weights, in how much memory
machine_speed   whole trials on all cores, by `run` and by bare engines side by side
bare            bare engines side by side, each in a process of its own
timed_run       `run` in a fresh process, with a stopwatch at its store
timed_recorder  the recorder with a stopwatch
"""
