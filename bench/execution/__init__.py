"""Where trials run: Ray, or this process.

execution    where and how trials run: nothing in it changes a number
run          a sweep's missing trials, trained: Ray or not, checkpoints, the recorder told
schedule     packs of trials on Ray Tune, workers reused
worker       what a worker of the schedule does; knows nothing of Ray
events       from a schedule's reports to the listener's events; signals handled between two of them
listeners    several listeners as one, and one that keeps the results
ray_options  how Ray is started: quiet, small, finding this package from any folder
local        one pack after another in this process
asha         `tune`'s candidates on Ray Tune: an Optuna search and an ASHA per cell
"""
