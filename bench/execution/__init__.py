"""Where trials run: Ray, or this process.

execution        where and how trials run: nothing in it changes a number
protocol_values  from the values of a protocol that were given to all its fields
checked_sweep    a sweep whose first trial is checked, on a device that there is
devices          the devices: which are trained on, and why the others are not
machine          the same, checked: a cluster that answers, cores and GPUs that there are, a folder for checkpoints
progress         what a sweep shows while it runs, on stderr
prerequisites    the trials that others need first, and the networks that they leave
starts           what the trials of a sweep start from, as it is asked for
run              a sweep's missing trials, trained: Ray or not, checkpoints, the recorder told
outcomes         what is said of a sweep whose trials have ended
schedule         packs of trials on Ray Tune, workers reused
worker           what a worker of the schedule does; knows nothing of Ray
events           from a schedule's reports to the listener's events; signals handled between two of them
ended            which trials need no training any more
shared_trials    trials that other commands train at the same time: left to them, and waited for
listeners        several listeners as one, and one that keeps the results
stopping         when Tune's loop ends early: at once, or because no worker comes up
ray_machine      Ray itself: how it is started, awaited and stopped, and what its logs say
local            one pack after another in this process
asha             `tune`'s candidates on Ray Tune: an Optuna search and an ASHA per cell
"""
