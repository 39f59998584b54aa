"""The examples in the docstrings, run on the installed packages."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import bench
import datasets
import methods
import models
import results

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (bench, datasets, methods, models, results)
    for module in pkgutil.iter_modules(package.__path__)
    if module.name != "__main__"
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
