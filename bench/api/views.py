"""What tables and plots show of a frame: the view of `bench.results`, with what only the data sets' table knows."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bench import names
from bench.api.classes import classes_of, test_sizes
from bench.messages import nearest
from bench.trial.plugins import Catalogue

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.statistics.view import View

MARGIN = 0.5  # of equivalence, percentage points of an accuracy
DECIDED = ("test", "margin", "alpha")  # fields of a view that a plan decides if nobody gives them
WITHIN = 1.0  # of the largest rate: percentage points below dense


def view_of(frame: pd.DataFrame, *, reference: str, margin: float | str | None = None, **settings: Any) -> View:
    """The view of a table.

    Args:   margin: of equivalence, percentage points of an accuracy, else in the metric's own unit; None = 0.5 points
            of an accuracy, none of others; "10%": a share of the reference's errors.
            settings: the other fields of a View.
    Raises: ValueError in one line for a choice that is none.
    """
    from bench.results.frame.errors import metric_of
    from bench.results.frame.margin import margin_of
    from bench.results.statistics.view import View

    check_reference(reference, set(frame["method"]))
    shown = metric_of(settings.get("metric", names.TEST_ACCURACY))
    if margin is None and shown.is_accuracy:
        margin = MARGIN
    return View(
        reference=reference,
        margin=None if margin is None else margin_of(margin, shown.factor),
        classes=classes_of(frame),
        test_images=test_sizes(frame),
        **settings,
    )


def plot_view(
    frame: pd.DataFrame, *, kind: str, metric: str | None, methods: Collection[str], rates: Collection[Decimal],
    sweeps: Collection[str] = (), starts: Collection[str] = (), **settings: Any,
) -> View:  # fmt: skip
    """The view of a plot; metric None = the plot's default, settings: the other fields of a View.

    Raises: ValueError in one line for a choice that is none.
    """
    from bench.results.plots.plots import METRICS, check_metric
    from bench.results.statistics.view import View

    check_metric(kind, metric)
    return View(
        metric=metric or METRICS[kind][0],
        sweeps=sweeps,
        methods=methods,
        rates=rates,
        starts=starts,
        classes=classes_of(frame),
        **settings,
    )


def plans_of(uri: str, frame: pd.DataFrame, given: Collection[str] = ()) -> dict[str, Any]:
    """What a view is told of the plans of a store; of the fields that a plan decides, those not `given` are left to it.

    Args: frame: all its trials.
    """
    from bench.results.frame.plans import plans
    from bench.results.statistics.planned import standing

    left = [name for name in DECIDED if name not in given]
    return {"plans": [standing(plan, frame) for plan in plans(uri)], "left_to_plan": left}


def within(points: float | None, asked: str, *, has_one: bool) -> float:
    """How far below its dense network a method may be, as a share; points None = 1 percentage point.

    Args:   asked: what is shown; has_one: whether it finds such rates.
    Raises: ValueError in one line for points that it does not have, or that are none.
    """
    if points is not None and not has_one:
        raise ValueError(f"margin-points {points:g} of {asked}: must be left out; it is of part and plot start")
    if points is not None and not 0 < points < 100:
        raise ValueError(f"margin-points {points:g}: must be above 0 and below 100")
    return (WITHIN if points is None else points) / 100


def check_reference(name: str, stored: set[str]) -> None:
    """Raise ValueError if no method has that name; a method that is not in the store is no error."""
    known = [*Catalogue(), *sorted(stored - set(Catalogue()))]
    if name.partition(" (")[0] not in known:
        raise ValueError(nearest("method", name, known))
