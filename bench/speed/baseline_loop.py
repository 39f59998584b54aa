"""A plain researcher's loop, only for `bench speed step`: what the engine is measured against.

As in the published code of SNIP, GraSP and SynFlow: a torchvision-style data set whose transforms run image by image, a
DataLoader, torch.optim.SGD over all parameters, and a hook per weight that masks its gradient. Not part of the engine:
it holds no frozen weight in place under weight decay, and is no example to follow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench.datasets.augment import PADDING
from bench.datasets.images import ImageData
from bench.engine.setup.prepare import Trial
from bench.methods.maskable import maskable
from bench.trial.protocol import Augmentation
from bench.trial.spec import TrialSpec


class TransformedImages(Dataset[tuple[Tensor, int]]):
    """Training images as torchvision serves them: through PIL, ToTensor and Normalize, one at a time.

    Augmented by RandomCrop and RandomHorizontalFlip, as `bench.datasets.augment` does it for a batch.
    """

    def __init__(self, data: ImageData, indices: Tensor, augmentation: Augmentation = "none") -> None:
        self.images = data.train_images[indices].permute(0, 2, 3, 1).squeeze(3).numpy()
        self.labels = data.train_labels[indices].tolist()
        side = data.train_images.shape[2:]
        moving = [transforms.RandomCrop(side, padding=PADDING), transforms.RandomHorizontalFlip()]
        still = [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
        self.transform = transforms.Compose([*(moving if augmentation == "flip-translate" else []), *still])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def researchers_loop(spec: TrialSpec, trial: Trial, data: ImageData) -> Iterator[int]:
    """Train a copy of the trial's model for ever; yields the number of images of each step."""
    model, device = copy.deepcopy(trial.model).train(), trial.train_indices.device
    if spec.rate:
        for name, weight in maskable(model).items():
            weight.register_hook(_masked_by(trial.masks[name].to(weight.dtype)))  # type: ignore[no-untyped-call]
    optimizer = torch.optim.SGD(
        model.parameters(), lr=spec.lr, momentum=spec.momentum, nesterov=spec.nesterov, weight_decay=spec.weight_decay
    )
    loader = loader_of(spec, trial, data)
    while True:
        for x, y in loader:
            optimizer.zero_grad()
            cross_entropy(model(x.to(device)), y.to(device)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield len(y)


def loader_of(spec: TrialSpec, trial: Trial, data: ImageData) -> DataLoader[tuple[Tensor, int]]:
    """The loader of the loop."""
    images = TransformedImages(data, trial.train_indices.cpu(), spec.augmentation)
    return DataLoader(images, batch_size=spec.batch_size, shuffle=True, num_workers=0)


def loaded_batches(spec: TrialSpec, trial: Trial, data: ImageData) -> Iterator[int]:
    """The loop's data path by itself, for ever; yields the number of images of each batch."""
    loader, device = loader_of(spec, trial, data), trial.train_indices.device
    while True:
        for x, y in loader:
            x.to(device), y.to(device)
            yield len(y)


def _masked_by(mask: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * mask
