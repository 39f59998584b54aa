"""Freeze or prune? The harness, a room a folder; a room imports only what stands above it in this list.

names        the names under which a trial is stored: the one list shared by the writers and `bench.results`
metrics      the figures of a trial, a row each: how it is shown, when and by what it is computed; shared likewise
mlflow_metrics  the names of these figures in MLflow, by group; those of earlier versions are read alike
masking      what is secret in a text, and the text without it
messages     what is said on stderr, errors of one line, and words that many messages share
canonical    one text of a record, and its key
disk         files written whole, and locks between processes
paging       what MLflow is given and gives: an address, a search page by page
tags         values of any length as tags of a run
test_right   which test images a network classifies right, as text
references   a function, or "module:function" that names one
search_path  where Python looks for modules
__main__     `python -m bench`
channels     the widths of a network as numbers
methods      (beside this folder) which weights are trained, and what the others hold
models       (beside this folder) the networks
datasets     (beside this folder) the images
stored_runs  the runs of an MLflow store, read
user_code    code from outside: what it changes of the process is put back
trial        what a trial is, and its identity
storage      where results are kept
engine       training: setup, steps, measures; its own files also import artefact, which imports these three
artefact     the stored network
peft         masks for Hugging Face PEFT's SHiRA, and its adapters as few bytes
execution    where trials run: Ray, or this process
speed        how fast it is
results      (beside this folder) statistics, tables, plots and the report
api          `bench.compare` and `bench.frame`, for notebooks and scripts
cli          the command line
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api.compare import compare
    from bench.api.comparison import Comparison
    from bench.api.stored import frame

__version__ = "0.1.0"
__all__ = ["Comparison", "compare", "frame"]

# Name -> where it is, imported only when it is asked for: `import bench` stays instant.
_LAZY = {"compare": "bench.api.compare", "Comparison": "bench.api.comparison", "frame": "bench.api.stored"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
