"""The process as it was before: what our own code sets while it trains or reads is put back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from bench.masking import mask_error
from bench.messages import store_error
from bench.storage.database import without_start
from bench.trial.result import SweepError
from bench.user_code import guard

Level = tuple[int, list[logging.Handler], bool, bool]


@contextmanager
def settings_kept() -> Iterator[None]:
    """Put back the settings of Python, NumPy and torch, and the loggers that were there before.

    An error that leaves it says nothing secret: a notebook keeps it.
    """
    levels = {logger: _level(logger) for logger in _loggers()}
    with guard.settings_kept():
        # What MLflow's libraries say in a notebook without ipywidgets, of which nothing here makes use.
        warnings.filterwarnings("ignore", "IProgress not found")
        try:
            yield
        except BaseException as error:
            mask_error(error)
            raise
        finally:
            for logger, level in levels.items():
                logger.level, logger.handlers, logger.propagate, logger.disabled = level
            logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]


def _level(logger: logging.Logger) -> Level:
    return logger.level, list(logger.handlers), logger.propagate, logger.disabled


def _loggers() -> list[logging.Logger]:
    named = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return [logging.getLogger(), *named]


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn an error of MLflow or of its database into a SweepError of one line."""
    try:
        yield
    except Exception as error:
        if (reason := store_error(error)) is None:
            raise
        raise SweepError(f"store {uri}: {reason}{without_start(uri, reason)}") from error
