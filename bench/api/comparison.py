"""What `compare` returns: its trials as frames, and the answer, tables and plots of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from bench import metrics
from bench.api.process import settings_kept
from bench.api.views import DECIDED, plans_of, plot_view, view_of, within
from bench.canonical import canonical_json
from bench.execution.run import Plan
from bench.messages import counted
from bench.methods import has_rates

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bench.results.statistics.planned import Standing
    from bench.results.statistics.view import View

Format = Literal["github", "latex", "csv", "html", "json"]
Test = Literal["t", "wilcoxon", "permutation"]
PlotKind = Literal["difference", "accuracy", "gradients", "storage", "ranks", "start", "scale"]
TRIAL = ["run_key", "run_id", "dataset", "model", "method", "background", "rate", "rate_value", "seed"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """A comparison of methods, as the store had it when its call of `compare` ended.

    `frame` and `curves` hold the trials that were asked for. `answer`, `table` and `plot` are computed of all seeds,
    rates, methods and starts that the store has under the same data, network and protocol, and show the methods and
    rates asked for: their verdicts are those of `python -m bench table`, however the call is cut.
    """

    store: str  # its address
    name: str  # of the sweep
    frame: pd.DataFrame = field(repr=False)  # a row per trial: the columns of `bench.frame`
    stored: pd.DataFrame = field(repr=False)  # the trials of the store under the same protocol, and their bases
    reference: str  # the method the others are tested against, if none is named
    starts: tuple[str, ...] = field(repr=False)  # those of its trials, in words
    plans: Sequence[Standing] = field(default=(), repr=False)  # of the store

    @cached_property
    @settings_kept()
    def curves(self) -> pd.DataFrame:
        """A row per trial and epoch (0 = before training): which it is, `epoch`, and every figure of an epoch."""
        from bench.results.frame.history import histories

        named = self.frame[TRIAL]
        shown = [histories(self.store, named["run_id"], metric) for metric in metrics.per_epoch()]
        curves = [
            points.set_index(["run_id", "epoch"])["value"].rename(metric)
            for metric, points in zip(metrics.per_epoch(), shown, strict=True)
            if not points.empty
        ]
        import pandas as pd

        joined = pd.concat(curves, axis=1).sort_index().reset_index() if curves else pd.DataFrame({"run_id": []})
        return named.merge(joined, on="run_id", how="inner").drop(columns="run_id")

    @cached_property
    @settings_kept()
    def answer(self) -> str:
        """Freeze or prune? A line for each pair of a frozen and a pruned method."""
        from bench.results.tables.answer.sentences import answer

        return "\n".join(answer(self.stored, self._view()))

    @settings_kept()
    def table(
        self,
        *,
        format: Format = "github",
        part: str | None = None,
        reference: str | None = None,
        metric: str = "test_accuracy",
        test: Test = "t",
        alpha: float = 0.05,
        margin: float | str | None = None,
        margin_points: float | None = None,
        controls: bool = False,
        published: bool = False,
    ) -> str:
        """The table, as `python -m bench table` prints it.

        Args:   format: "github", "latex", "csv", "html" or "json".
                part: one table alone, as "accuracy" or "difference"; None: all of them.
                reference: the method the others are tested against; by default `self.reference`.
                metric: of the cells. test: paired t test, exact Wilcoxon or exact sign-flip permutation.
                alpha: level of the tests.
                margin: of equivalence, percentage points of an accuracy (by default 0.5), else in the metric's unit;
                "10%": a share of the errors of what is subtracted.
                margin_points: of part "start": how far below dense a method may be, percentage points (by default 1).
                controls: whether to show sanity controls. published: whether to show published results beside these.
        Raises: ValueError in one line for a choice that the store does not have.
        """
        from bench.results.parts import part_page, whole

        defaults = {"test": test == "t", "alpha": alpha == 0.05, "margin": margin is None}
        view = self._view(
            left_to_plan=[name for name, is_default in defaults.items() if is_default],
            reference=reference or self.reference, metric=metric, test=test, alpha=alpha, margin=margin,
            within=within(margin_points, f"part {part}" if part else "the table", has_one=part == "start"),
            controls=controls or part == "controls", published=published or part == "published",
        )  # fmt: skip
        if part is None:
            return whole.render(self.stored, view, format=format)
        return part_page.render(self.stored, view, part, format=format)

    @settings_kept()
    def plot(
        self, kind: PlotKind = "difference", *, metric: str | None = None, margin_points: float | None = None
    ) -> Figure:
        """The figure, as `python -m bench plot` draws it; a notebook shows it, `savefig` writes it.

        Args:   kind: "difference" (freeze − prune), "accuracy", "gradients", "storage", "ranks", "start" or "scale".
                metric: by default the plot's own.
                margin_points: of "start": how far below dense a method may be, percentage points (by default 1).
        Raises: ValueError in one line if the plot cannot show the metric, or has nothing to show.
        """
        from bench.results.frame.history import histories
        from bench.results.plots.plots import plot

        share = within(margin_points, f"plot {kind}", has_one=kind == "start")
        view = plot_view(self.stored, kind=kind, metric=metric, within=share, **self._shown, **self._planned)
        return plot(self.stored, kind, view, partial(histories, self.store))

    @property
    def _shown(self) -> Mapping[str, Any]:
        """The methods, rates and start asked for; dense, and biases alone, belong to every choice."""
        rated = self.frame[~self.frame["background"].isin(("dense", "biases"))]
        rates = sorted({Decimal(rate) for rate in rated["rate"]})
        return {"methods": sorted(set(rated["method"])), "rates": rates, "starts": self.starts}

    def _view(self, **settings: Any) -> View:
        return view_of(self.stored, **{"reference": self.reference, **self._shown, **self._planned, **settings})

    @property
    def _planned(self) -> Mapping[str, Any]:
        return {"plans": self.plans, "left_to_plan": DECIDED}

    def __str__(self) -> str:
        return self.answer

    @settings_kept()
    def _repr_markdown_(self) -> str:
        from bench.results.tables import formats

        return formats.github(self._summary)

    @settings_kept()
    def _repr_html_(self) -> str:
        from bench.results.tables.html_page.fragment import fragment

        return fragment(self._summary)

    @property
    def _summary(self) -> list[Any]:
        from bench.results.tables.answer.summary import summary
        from bench.results.tables.formats import Paragraph

        return [*summary(self.stored, self._view()), Paragraph(self._counts)]

    @property
    def _counts(self) -> str:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self.frame["outcome"].value_counts().items())
        return f"{counted(len(self.frame), 'trial')}: {outcomes}; store {self.store}"


def comparison_of(plan: Plan) -> Comparison:
    """The comparison of a plan that is carried out."""
    from bench.results.frame.collect import collect
    from bench.results.frame.cut import with_bases
    from bench.results.frame.sections import sections

    uri = plan.destination.uri  # type: ignore[attr-defined]
    called = {canonical_json(spec.method.record()): plan.sweep.name_of(spec.method) for spec in plan.trials}
    whole = collect(uri)
    whole["method"] = whole["spec.method"].map(called).fillna(whole["method"]).astype(object)
    keys = set(plan.run_keys)
    every = sections(whole)
    asked = [section for section in every if keys & set(section.frame["run_key"])]
    families = {section.family for section in asked}  # one question of all their starts
    alike = [key for section in every if section.family in families for key in section.frame["run_key"]]
    return Comparison(
        store=uri,
        name=plan.name,
        frame=whole[whole["run_key"].isin(keys)].reset_index(drop=True),
        stored=with_bases(whole, whole["run_key"].isin(alike)).reset_index(drop=True),
        reference=_reference(plan),
        starts=tuple(section.start for section in asked),
        plans=plans_of(uri, whole)["plans"],
    )


def _reference(plan: Plan) -> str:
    """snip if it is compared, else the first pruned method, else the first; of methods at initialisation."""
    every = [spec.method for spec in plan.trials if has_rates(spec.method)]
    methods = [method for method in every if method.at_initialisation and not method.closes_channels]
    rated = {plan.sweep.name_of(method): method for method in methods}
    pruned = [name for name, method in rated.items() if method.background == "prune"]
    return "snip" if "snip" in rated or not rated else [*pruned, *rated][0]
