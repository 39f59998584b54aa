"""The names under which a trial is stored: tags, parameters and metrics of an MLflow run.

Shared by the writers (`bench.engine`, `bench.storage`) and the reader (`bench.results`); how a figure is shown and by
what it is computed is in `bench.metrics`. Imports nothing.
"""

from __future__ import annotations

# Tags of every run the project writes.
KIND = "bench.kind"  # TRIAL, SWEEP, CHOICE or PLAN
TRIAL = "trial"
SWEEP = "sweep"
CHOICE = "choice"  # of hyper-parameters for one method and rate
PLAN = "plan"  # of the comparisons that are to be made

# Tags of a trial's run.
RUN_KEY = "bench.run_key"  # SHA-256 of every field of the TrialSpec
GROUP_KEY = "bench.group_key"  # the same without the seed: what a table cell aggregates
SPEC = "bench.spec"  # the TrialSpec as canonical JSON
METHOD = "bench.method"  # the method's name, as METHODS spells it
OUTCOME = "bench.outcome"  # DONE, DIVERGED or FAILED
FIGURES = "bench.figures"  # JSON: the figures as they were when it was stored, of epochs the last, but OF_THE_MACHINE
REASON = "bench.reason"  # one line: why a trial diverged or failed; absent where it is done
IN_SWEEP = "bench.sweep."  # + sweep name: the trial belongs to that sweep; value = the sweep's parent run
SWEEP_NAME_CHARACTERS = r"\w\-. /:"  # of a sweep's name, as part of a tag's key: what MLflow takes there
SWEEP_NAME_LONGEST = 200
NEEDS = "-needs"  # ends the name of the sweep of the trials that a sweep's own ones need
INIT_SHA256 = "bench.init_sha256"  # of the initial weights
MASK_SHA256 = "bench.mask_sha256"
WEIGHTS_SHA256 = "bench.weights_sha256"  # of the final state
TEST_RIGHT = "bench.test_right"  # which test images it gets right after the last epoch: see `bench.test_right`
BASE_KEY = "bench.base_run_key"  # of the trial that gave the start, or the SHA-256 of its weights; absent if none did
BASE_LABEL = "bench.base_label"  # what the file of the start's weights was called; absent if a trial gave them
BASE_SHA256 = "bench.base_weights_sha256"  # of the base's final state
BASE_TAKEN = "bench.base_taken"  # what of the network is the base's, and what was drawn
PARENT_KEY = "bench.parent_run_key"  # of the trial whose trained network the method read; absent if it read none
PARENT_SHA256 = "bench.parent_weights_sha256"  # of that network's final state

SHRUNK = "bench.shrunk"  # how the network with closed channels compares to the one without them; absent of others
BUDGET_SLACK = "bench.budget_slack"  # what it leaves of its budgets, if it fills neither to 99 %; absent of others

RESUMED = "bench.resumed_after_epoch"  # comma list: where the trial was stopped, to go on later; absent of most
RESUMED_FROM = "bench.resumed_from"  # JSON: the tags of where it ran before that are others now; absent of most
REVISED = "bench.masks_revised_after_epochs"  # comma list: where its method chose masks again; absent of most
CHANGED = "bench.process_changed"  # what the method's code changed of the process, put back; absent of most
RESTARTED = "bench.checkpoint_unusable"  # why it began anew although it had a checkpoint; absent of most
UNRECORDED = "bench.steps_unrecorded"  # why its steps ran as they are, not as CUDA graphs that failed; absent of most
UNSAVED = "bench.checkpoint_error"  # why its last checkpoint was not written; absent of most

OWNER = "bench.owner"  # tag of a sweep's run, JSON: the process that writes it, and its last sign of life
CLAIM = "bench.claim"  # tag of a sweep's run that trains something: its ticket; see `bench.storage.ownership.claims`
CLAIMED = "bench.claimed"  # tag of such a run: what it trains, the beginnings of the run keys one after the other
PARENT = "mlflow.parentRunId"  # MLflow's tag: its pages fold a trial's run under that of the sweep
COMMAND = "bench.command"  # tag of a sweep's or a choice's run: the command line
PLANNED = "bench.plan"  # tag of a plan's run: its record as canonical JSON
PLAN_SHA256 = "bench.plan_sha256"  # of that text
PLAN_COMMAND = "bench.plan_command"  # the command line that made it: a COMMAND trains or tunes
LOOK = "bench.look."  # + beginning of the SHA-256 of the run keys seen: a look at the results of a plan, as JSON
CHOSEN = "bench.chosen"  # tag of a choice's run, JSON: cell (its key), record (what the key is of), values

# Tags of where a trial ran.
GIT_COMMIT = "mlflow.source.git.commit"  # MLflow's own tag
GIT_DIRTY = "bench.git_dirty"  # "true" where the source had uncommitted changes
ENVIRONMENT = (
    "bench.host", "bench.os", "bench.cpu", "bench.cores", "bench.python", "bench.torch", "bench.torchvision",
    "bench.timm", "bench.numpy", "bench.ray", "bench.mlflow", "bench.gpu", "bench.gpu_runtime",
)  # fmt: skip

DONE = "done"
DIVERGED = "diverged"
FAILED = "failed"
OUTCOMES = (DONE, DIVERGED, FAILED)

# Final figures of a trial. Accuracies in [0, 1]; seconds; bytes.
TEST_ACCURACY = "test_accuracy"  # after the last epoch: the primary figure
TEST_ACCURACY_BEST = "test_accuracy_best_validation"  # at the epoch of the best validation accuracy, earliest on ties
BEST_EPOCH = "best_validation_epoch"
CLASSES = "classes"  # of the data set; trials of older versions have none
TOTAL_PARAMETERS = "total_parameters"
MASKABLE_WEIGHTS = "maskable_weights"
LIVE_WEIGHTS = "live_weights"
STORED_PARAMETERS = "stored_parameters"  # live weights + biases + BatchNorm scale and shift
COMPRESSION = "compression"  # total_parameters / stored_parameters
STORED_BYTES = "stored_bytes"  # of the trained network's file
MASK_BYTES = "mask_bytes"  # of these, the entropy-coded mask
VALUE_BYTES = "value_bytes"  # of these, live weights, biases and BatchNorm's state
COMPRESSION_BYTES = "compression_bytes"  # bytes of all parameters in the weights' own type / stored_bytes
LAYERS = "layers"  # number of maskable weight tensors
COLLAPSED_LAYERS = "collapsed_layers"  # of these, the number without a live weight
DISCONNECTED = "disconnected_weights"  # live weights on no path of live weights from the input to the output
FLOW_CHANGE = "flow_change"  # g(m*w0)'g(m*w0) - g(w0)'g(w0), w0 the initial weights, on the probe
FLOW_CHANGE_PREDICTED = "flow_change_predicted"  # GraSP's first order of it, 2 d'Hg(w0) with d = -(1 - m)*w0
# Decrease of the loss by SGD's first step on the live weights, to first order: lr_0 * ||m*g||_2^2, with Nesterov
# momentum (1 + momentum) times that; absent of other optimizers.
PREDICTED_DECREASE = "predicted_decrease"
FORWARD_MACS = "forward_macs"  # multiply-accumulates per image, non-zero weights only
BACKWARD_MACS = "backward_macs"
SCORING_SECONDS = "scoring_seconds"
TRAINING_SECONDS = "training_seconds"
TRAINING_EPOCHS = "training_epochs_total"  # of the trial and of all that it needs; absent if only its own
# Of a trial whose masks change while training; absent of others, of which they follow from the counts.
MEAN_LIVE_WEIGHTS = "mean_live_weights"  # over the epochs trained
TRAINING_MACS = "training_macs"  # multiply-accumulates of forward and backward passes per image, over all epochs
OF_SOME = (TRAINING_EPOCHS, MEAN_LIVE_WEIGHTS, TRAINING_MACS)  # final figures that not every trial has
PEAK_MEMORY = "peak_memory_bytes"
OF_THE_MACHINE = (SCORING_SECONDS, TRAINING_SECONDS, PEAK_MEMORY)  # what a trial took: another each time

# Live values may be stored in fewer bits: what the file then takes, and the test accuracy of the network read from it.
# The first type is that of the final figures; a trial may have the figures of the others, and need not.
VALUE_DTYPES = ("float32", "float16", "bfloat16", "int8")

# Figures of an epoch; MLflow's step is the epoch, 0 = before training.
TRAIN_LOSS = "train_loss"  # mean over the epoch's images; absent at epoch 0
VALIDATION_ACCURACY = "validation_accuracy"
GRAD_NORM_ALL = "grad_norm_all"  # ||g||_2 over the maskable weights, g at the effective weights
GRAD_NORM_LIVE = "grad_norm_live"  # ||m*g||_2
GRAD_ABS_ALL = "grad_abs_all"  # mean |g_j| over the maskable weights
GRAD_ABS_LIVE = "grad_abs_live"  # mean |g_j| over the live weights
PER_LAYER = (GRAD_NORM_ALL, GRAD_NORM_LIVE, GRAD_ABS_ALL, GRAD_ABS_LIVE)  # of the network, and of each layer
FLOW_1 = "effective_gradient_flow_1"  # mean over layers l of ||m_l*g_l||_1 / k_l; of layers with a live weight
FLOW_2 = "effective_gradient_flow_2"  # the same with ||m_l*g_l||_2
FLOW_SUM = "gradient_flow_sum"  # sum over layers of ||m_l*g_l||_2

# Artefact of a trial's run: one JSON list with a record per maskable weight tensor (name, weights, live, and the four
# gradient figures at epoch 0 and at the last epoch, as `<figure>_first` and `<figure>_last`). If masks change while
# training, `live` is that of the last ones, and there are `revisions`: epoch, 0 = before training, live, grown.
LAYERS_FILE = "layers.json"
REVISIONS = "revisions"

# Artefact of a choice's run: one JSON list with a record per candidate (values, validation_accuracy by epoch, reason).
CANDIDATES_FILE = "candidates.json"

SCALES = {"freeze": 1.0, "prune": 0.0}  # background -> how many times their value at the start dead weights hold
FADES = ("linear", "cosine")  # the ways on which a background fades (`bench.methods.fading`)

# The parts of the table, in its order (`bench.results.parts.parts`).
PARTS = (
    "accuracy", "pairs", "difference", "scale", "reference", "start", "trained-first", "changing-masks", "budgets",
    "baselines", "dense", "storage", "compute", "gradients", "collapse", "controls", "published", "tuned", "warnings",
)  # fmt: skip

NETWORK_FILE = "network.frz"  # artefact of the run of a trial that is done: the trained network


def initial(name: str) -> str:
    """Of a gradient figure: the name of its value before training."""
    return f"initial_{name}"


def mean(name: str) -> str:
    """Of a gradient figure: the name of its mean over the epochs trained."""
    return f"mean_{name}"
