"""`python -m bench.models`: write `shapes.json` anew from the networks of MODELS."""

from bench.models import MODELS
from bench.models.shapes import write_shapes

if __name__ == "__main__":
    write_shapes({row.build: row.image_shape for row in MODELS.values()})
