"""What a training computes: multiply-accumulates of the forward and backward passes per image, over all epochs."""

from __future__ import annotations

from bench import names
from bench.metrics import NONE
from bench.results.frame.words import low_to_high
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell


def training_macs(analysis: Analysis, cell: Cell) -> tuple[float, float] | None:
    """The least and the largest over the seeds; of masks that change it is recorded, else every epoch is the same."""
    if names.TRAINING_MACS in cell.counts:
        return cell.counts[names.TRAINING_MACS]
    if cell.record.fields.get("changes_masks") or names.FORWARD_MACS not in cell.counts:
        return None
    passes = zip(cell.counts[names.FORWARD_MACS], cell.counts[names.BACKWARD_MACS], strict=True)
    least, largest = (float(analysis.section.fields["epochs"]) * sum(both) for both in passes)
    return least, largest


def times_dense(analysis: Analysis, cell: Cell) -> str:
    """The same as a share of that of the dense baseline."""
    training, dense = training_macs(analysis, cell), analysis.dense and training_macs(analysis, analysis.dense)
    if not training or not dense:
        return NONE
    return f"×{low_to_high(training[0] / dense[0], training[1] / dense[0], '.2f')}"
