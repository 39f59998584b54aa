"""The network that the header of a file names: one of ours, of a library, or of a plug-in that must be given."""

from __future__ import annotations

from bench.artefact.header import Header, SpecRecord
from bench.models import MODELS, ModelRow
from bench.models.libraries import is_of_library
from bench.trial.networks import row_of, structure_of
from bench.trial.outside.sources import Sources, check_sources


def model_row(header: Header) -> ModelRow:
    """The row of the model. Raises ValueError, in one line, if there is none or its code is not the trial's."""
    model, shape, sources = header.spec.model, tuple(header.image_shape), _sources(header.spec)
    if model not in MODELS and "model" in dict(sources) and not is_of_library(model):
        raise ValueError(f"model {model!r} is of a plug-in: must be given, by --plugin FILE, plugins=[FILE] or model=…")
    row = row_of(model, header.classes, shape)
    check_sources({"model": model}, sources, ["model"])
    if row.takes(shape):
        structure_of(model, header.classes, shape)  # so that it is one line, whatever its code raises
    return row


def _sources(spec: SpecRecord) -> Sources:
    """The sources of what the trial had from outside."""
    recorded = (spec.model_extra or {}).get("sources")
    return tuple(sorted(recorded.items())) if isinstance(recorded, dict) else ()
