"""ModelRow: what is known of a network before it is built. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from bench.models.shapes import Shape, Shapes, shapes_of


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One network, for any number of classes."""

    build: str  # "module:function", called with the number of classes
    image_shape: Shape  # (C, H, W)
    larger: bool = False  # takes larger images as well
    note: str = ""  # one line for the listing

    def shapes(self, classes: int) -> Shapes:
        """The shape of every parameter by name, in the order in which the layers run."""
        return shapes_of(self.build, self.image_shape, classes)

    def layers(self, classes: int) -> Shapes:
        """The weights of Conv and Linear layers."""
        return {name: shape for name, shape in self.shapes(classes).items() if len(shape) > 1}

    def maskable(self, classes: int) -> int:
        """The number of weights of Conv and Linear layers."""
        return sum(map(prod, self.layers(classes).values()))

    def parameters(self, classes: int) -> int:
        """The number of all parameters."""
        return sum(map(prod, self.shapes(classes).values()))

    def takes(self, image_shape: Shape) -> bool:
        """Whether the network can be applied to images of that shape."""
        if not self.larger:
            return image_shape == self.image_shape
        (channels, *least), (image_channels, *sides) = self.image_shape, image_shape
        return channels == image_channels and all(side >= low for side, low in zip(sides, least, strict=True))
