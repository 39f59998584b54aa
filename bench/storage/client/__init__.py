"""MLflow's client: how it is opened, and what the store of this project asks of it in several of its calls.

opening    the client of the store at an address, which is created if it does not exist
patience   how long it waits for a server
writing    figures and parameters in as few calls as MLflow allows; data sets
run_files  the files of runs, in a folder or through a server
sweeps     the sweeps of a store: their experiments, and how its pages show them
runs       whether the store has a run, and what it says of it
"""

import os

# No usage reports, and no address on stdout for every run a server stores.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
