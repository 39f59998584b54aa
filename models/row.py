"""ModelRow: what is known of a network before it is built. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from bench.models.factory import built
from bench.models.shapes import Shape, Shapes, stored_shapes
from bench.references import Reference

if TYPE_CHECKING:
    from torch import nn

    from bench.models.structure.structure import Structure


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One network, for any number of classes."""

    # "module:function" or the function, called with the number of classes, and with the shape of the images if it takes
    # that too (`bench.models.factory`).
    build: Reference
    image_shape: Shape | None = None  # (C, H, W); None = that of the data set, whatever it is
    larger: bool = False  # takes larger images as well
    note: str = ""  # one line for the listing
    found: dict[tuple[Shape, int], Structure] = field(default_factory=dict, init=False, compare=False, repr=False)
    fingerprint: str = ""  # what tells this network from others, instead of its source: of one from a library

    def network(self, classes: int, image_shape: Shape | None = None) -> nn.Module:
        """The network for images of that shape, by default of the row's; torch's random state may be changed."""
        return built(self.build, classes, image_shape or self.image_shape)

    def structure(self, classes: int, image_shape: Shape | None = None) -> Structure:
        """What is found of the network applied to images of that shape, by default the row's; found once.

        Raises: ValueError, in one line that names the layer, if it could not be trained in part, rebuilt or judged.
        """
        from bench.models.structure.structure import structure_of

        shape = image_shape or self.image_shape
        if shape is None:
            raise ValueError("image_shape None: must be the shape of a data set's images, since the network takes any")
        if (shape, classes) not in self.found:
            self.found[shape, classes] = structure_of(self.build, shape, classes)
        return self.found[shape, classes]

    def shapes(self, classes: int, image_shape: Shape | None = None) -> Shapes:
        """The shape of every parameter by name, in the order in which the layers run on images of that shape.

        Args: image_shape: by default the row's.
        """
        return stored_shapes(self.build, classes) or self.structure(classes, image_shape).shapes

    def layers(self, classes: int, image_shape: Shape | None = None) -> Shapes:
        """The weights of Conv and Linear layers."""
        if stored := stored_shapes(self.build, classes):
            return {name: shape for name, shape in stored.items() if len(shape) > 1}
        return self.structure(classes, image_shape).weights

    def channels_last(self, classes: int, image_shape: Shape | None = None) -> bool:
        """Whether the channels of its images are to come last in memory: what convolutions are fastest with."""
        if stored := stored_shapes(self.build, classes):
            return any(len(shape) == 4 for shape in stored.values())
        return self.structure(classes, image_shape).channels_last

    @property
    def is_known(self) -> bool:
        """Whether nothing need be found of it: it is a network of this package, whose shapes are kept."""
        return stored_shapes(self.build, 2) is not None

    def maskable(self, classes: int, image_shape: Shape | None = None) -> int:
        """The number of weights of Conv and Linear layers."""
        return sum(map(prod, self.layers(classes, image_shape).values()))

    def parameters(self, classes: int, image_shape: Shape | None = None) -> int:
        """The number of all parameters."""
        return sum(map(prod, self.shapes(classes, image_shape).values()))

    def takes(self, image_shape: Shape) -> bool:
        """Whether the network can be applied to images of that shape."""
        if self.image_shape is None:
            return True
        if not self.larger:
            return image_shape == self.image_shape
        (channels, *least), (image_channels, *sides) = self.image_shape, image_shape
        return channels == image_channels and all(side >= low for side, low in zip(sides, least, strict=True))
