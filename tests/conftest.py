"""One thread per process: what a trial trains with by default, and no test then waits for another's core."""

import torch

torch.set_num_threads(1)
