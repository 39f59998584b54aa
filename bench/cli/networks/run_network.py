"""The stored network of a run, as bytes. Imports neither torch nor, of a database that is known, MLflow."""

from __future__ import annotations

from bench import names
from bench.artefact.container import unseal
from bench.artefact.header import BaseRecord
from bench.mlflow_metrics import stored_figures, stored_name
from bench.storage import stored_trials
from bench.tags import whole

TAGS = (names.RUN_KEY, names.WEIGHTS_SHA256)
SIZES = (stored_name(names.STORED_BYTES), names.STORED_BYTES)  # the latter of earlier versions


def network_of_run(uri: str, run: str) -> bytes:
    """The stored network of a run. Raises: ValueError, in one line, if it has none, or another trial's."""
    stored = stored_trials.run_of(uri, run, tags=TAGS, metrics=SIZES)
    try:
        data = stored_trials.read_file(uri, run, names.NETWORK_FILE, stored.files or "")
    except FileNotFoundError as error:
        if names.STORED_BYTES in stored_figures(stored.metrics, {}):
            raise ValueError(f"run {run}: its stored network is missing: must be {error.filename}") from error
        raise ValueError(f"run {run}: no stored network; it diverged, or an older version trained it") from None
    except OSError as error:
        raise ValueError(f"run {run}: its stored network cannot be read: {error.strerror or error}") from error
    header = unseal(data)[0]
    if [header.run_key, header.sha256.weights] != [whole(stored.tags, tag) for tag in TAGS]:
        raise ValueError(f"run {run}: its stored network is another trial's")
    return data


def base_words(record: BaseRecord) -> str:
    """ "trial 5d03d0b6c1f2", or the weights that were given as a file."""
    if record.key == record.weights:
        return f"weights of SHA-256 {record.key[:16]}"
    return f"trial {record.key[:16]}"
