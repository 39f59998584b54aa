"""The hash of the source of code from outside that is no method: what builds a network, an update rule, a schedule."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from types import MethodType
from typing import Any

from bench.methods.identity.identify import hash_of, lines_of
from bench.methods.identity.plain import function_of
from bench.methods.identity.reach import Reach, Words

# Told by its name alone: its version is a tag of every trial.
TAGGED = "torch"
# Told by name and version: so much of it is reached from each class that its files would take seconds to read, and some
# of what they read is of the process. Torchvision's files are read as a user's are: keys of earlier trials have them.
VERSIONED = "timm"
OF_CODE = Words("such code", "such code must not depend on it", "write it as a constant, or compute it in the function")


def source_of_code(code: Any) -> str:
    """SHA-256 of the source of a function, a class, or what is called like one; the same wherever its files lie.

    Over the files that define it, those of the user's that they import, and every value that they read, or that it
    holds, and that does not follow from these files. Of torch and timm no file is read.
    Raises: ValueError in one line if something that can change what it does could not be told by the hash.
    """
    root = root_of(code)
    package = root.__module__.partition(".")[0]
    is_library = package in (TAGGED, VERSIONED)
    reach = Reach([source_of_code if is_library else root], OF_CODE)
    sources: list[bytes] = []
    if package == VERSIONED:
        reach.state.append([package, public_version(version(package))])
    elif package == TAGGED:
        pass
    elif isinstance(root, type):
        sources = [lines_of(c) for c in root.__mro__ if c is not object and reach.is_users(c.__module__)]
        reach.owner(root, is_piece=True)
    else:
        reach.function(root, is_piece=True)
    reach.whole(code)
    return hash_of(list(dict.fromkeys(sources)), reach)


def public_version(version: str) -> str:
    """Without what says how it was built.

    >>> public_version("0.26.0+cu121"), public_version("1.0.15")
    ('0.26.0', '1.0.15')
    """
    return version.partition("+")[0]


def root_of(code: Any) -> Any:
    """The function or class that is behind what can be called."""
    if isinstance(code, partial):
        return root_of(code.func)
    if isinstance(code, MethodType):
        return code.__func__
    if (function := function_of(code)) is not None:
        return function
    return code if isinstance(code, type) else type(code)
