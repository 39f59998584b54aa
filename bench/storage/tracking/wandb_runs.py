"""The trials of a sweep as runs in Weights & Biases, in one group. The only file that imports wandb."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bench.mlflow_metrics import stored_name
from bench.storage import mlflow_fields
from bench.storage.entry import Entry

if TYPE_CHECKING:
    import wandb

PROJECT = "freeze-or-prune"  # unless WANDB_PROJECT names another
ALONE = ("offline", "dryrun", "disabled")  # values of WANDB_MODE for which nobody need be logged in


def check() -> None:
    """Raise ValueError, in one line, if wandb is not installed, or nobody is logged in."""
    if importlib.util.find_spec("wandb") is None:
        raise ValueError("tracking wandb: the package is not installed; `pip install 'freeze-or-prune[wandb]'`")
    if os.environ.get("WANDB_MODE") not in ALONE and not _logged_in():
        raise ValueError("tracking wandb: nobody is logged in; `wandb login`, or WANDB_MODE=offline for `wandb sync`")


def _logged_in() -> bool:
    import wandb

    return bool(wandb.login(prompt=False))


class WandbRuns:
    """A run for each trial that is trained now; the run key is its id, so that a trial is one run."""

    def __init__(self, sweep: str) -> None:
        self.sweep = sweep

    def open(self) -> None:
        """Nothing to make ready."""

    def lacking(self, run_keys: Iterable[str]) -> list[str]:
        """None: what earlier commands trained is not sent again."""
        return []

    def add(self, entries: Iterable[Entry]) -> None:
        """Send the trials."""
        for entry in entries:
            self._send(entry)

    def _send(self, entry: Entry) -> None:
        run = self._begun(entry)
        result = entry.result
        for epoch, figures in enumerate(result.epochs):
            run.log({stored_name(name): value for name, value in figures.items()}, step=epoch)
        run.summary.update({stored_name(name): value for name, value in result.metrics.items()})
        run.finish(exit_code=0 if entry.is_final else 1)

    def _begun(self, entry: Entry) -> wandb.Run:
        import wandb

        config: dict[str, Any] = {**mlflow_fields.parameters(entry), "outcome": entry.result.outcome}
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=self.sweep,
            name=mlflow_fields.run_name(entry.spec, entry.method),
            id=entry.run_key[:32],
            config=config,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
        )
