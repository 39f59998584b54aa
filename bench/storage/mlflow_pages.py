"""What MLflow's pages are told of a sweep: that its experiment is no chat's, and which columns answer its question.

MLflow 3.17 opens an experiment in its GenAI view, which lists no runs, unless a tag says otherwise; and it takes the
columns of the list from a "shared view", a tag that an address names. Imports no MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from bench import names
from bench.mlflow_metrics import stored_name

EXPERIMENT_KIND = "mlflow.experimentKind"  # MLflow's tag of an experiment
TRAINING = "custom_model_development"
TRAINING_VIEW = {"workflowType": "machine_learning"}  # of an address: not the GenAI view, which it else opens in
VIEW = "trials"  # the name of the shared view
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"  # MLflow's tag of an experiment
DESCRIPTION = "mlflow.note.content"  # MLflow's tag of a run or an experiment: Markdown
# The columns after the run's name, in order, and their widths in pixels.
COLUMNS = (
    (f"metrics.`{stored_name(names.TEST_ACCURACY)}`", 180),
    ("params.`method`", 120),
    ("params.`rate`", 80),
    ("params.`seed`", 70),
    (f"metrics.`{stored_name(names.STORED_PARAMETERS)}`", 190),
    (f"metrics.`{stored_name(names.STORED_BYTES)}`", 160),
)
SELECTION, RUN_NAME, STARTED, DURATION = "0", "attributes.`Run Name`", "runDateAndNestInfo", "duration"  # always shown


def experiment_tags() -> dict[str, str]:
    """The tags of a sweep's experiment."""
    return {EXPERIMENT_KIND: TRAINING, VIEW_TAG: json.dumps(_view())}


def _view() -> dict[str, object]:
    """The trials, the most accurate first."""
    columns = [name for name, _ in COLUMNS]
    return {
        "searchFilter": f"tags.`{names.KIND}` = '{names.TRIAL}'",
        "orderByKey": columns[0],
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [SELECTION, RUN_NAME, STARTED, *columns, DURATION],
        "columnWidths": {RUN_NAME: 190, STARTED: 130, **dict(COLUMNS)},
    }


def local_address(host: str, port: int) -> str:
    """The address of a server on this machine that listens at `host`.

    >>> local_address("0.0.0.0", 5000), local_address("::1", 80)
    ('http://127.0.0.1:5000', 'http://[::1]:80')
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def runs_address(server: str, experiment: str, tags: Mapping[str, str]) -> str:
    """The page that lists the runs of an experiment with these tags, on the server at that address.

    >>> runs_address("http://127.0.0.1:5000/", "1", {})
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
    """
    query = TRAINING_VIEW | ({"viewStateShareKey": VIEW} if VIEW_TAG in tags else {})
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{urlencode(query)}"


def run_address(server: str, experiment: str, run: str) -> str:
    """The page of a run, on the server at that address.

    >>> run_address("http://127.0.0.1:5000/", "1", "5d03")
    'http://127.0.0.1:5000/#/experiments/1/runs/5d03?workflowType=machine_learning'
    """
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs/{run}?{urlencode(TRAINING_VIEW)}"
