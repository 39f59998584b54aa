"""`python -m bench.models`: write `shapes.json` anew from the networks of MODELS."""

from bench.models import MODELS
from bench.models.shapes import write_shapes

if __name__ == "__main__":
    rows = ((row.build, row.image_shape) for row in MODELS.values())
    write_shapes({build: shape for build, shape in rows if isinstance(build, str) and shape is not None})
