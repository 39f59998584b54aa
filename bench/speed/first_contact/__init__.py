"""What of the engine works on a card, and how fast, in minutes: `python -m bench.speed.first_contact --json FILE`.

A step asks one question, in a process of its own with a time limit: what fails there ends that step alone.

__main__   the command line, and what a process does that has one step
driver     the steps one after another, and what is known so far in one file
scene      what a step is given: device, sizes, images, trials, a clock
device     what is there: versions, memory, the speed of products, of copies and of launches
parity     whether single trials and packs compute what the CPU computes
recording  whether steps are recorded as CUDA graphs, and what is left of a process in which one could not be
shortage   whether a pack that does not fit comes back as halves
speeds     a slice of the grid and its projection, the ratio to a researcher's loop, the table of packs
"""
