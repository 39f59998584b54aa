"""What a trained network takes as a file."""

from __future__ import annotations

from bench import names
from bench.artefact.container import sizes
from bench.engine.measures.moment import Moment


def storage(moment: Moment) -> dict[str, float]:
    """The bytes of the file and of its parts, beside all parameters in their own type."""
    parts, whole = sizes(moment.artefact), sum(p.nbytes for p in moment.trial.stored_model.parameters())
    return {
        names.STORED_BYTES: len(moment.artefact),
        names.MASK_BYTES: parts["mask"],
        names.VALUE_BYTES: parts["values"],
        names.COMPRESSION_BYTES: whole / len(moment.artefact),
    }
