"""The contract of code from outside: whatever it does, all other methods' trials are bit for bit the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import hostile
import pytest
import torch
from hostile import Acts, Ends, Given, Hostile, names_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from small_trials import images, spec

from bench import names
from bench.engine.setup.prepare import initial_model, select
from bench.engine.train import train_epochs
from bench.execution import local, schedule
from bench.execution.listeners import Collected
from bench.execution.ray_machine import ray_process
from bench.execution.worker import engine
from bench.methods import Method
from bench.models import MODELS, ModelRow
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.user_code.bindings import bindings, replaced
from bench.user_code.guard import _all_settings, values_of
from bench.user_code.process_state import PYTHON

DATA = images(train=200)
OTHERS = [spec("snip"), spec("freeze"), spec("random-prune")]
VARIABLES = PYTHON[0]
OWN = {"PYTEST_CURRENT_TEST": "", "TORCHINDUCTOR_CACHE_DIR": ""}  # set by pytest, and by torch for itself
TIMES = ("scoring_seconds", "training_seconds", "peak_memory_bytes")
ACTS, ENDS, GIVEN = names_of(Acts), names_of(Ends), names_of(Given)
HARMLESS = ("magnitudes", "huge", "double", "integers", "booleans")  # scores
SILENT = ("seeds", "stdout", "printing", "slow")
OF_PYTHON = (  # no trial computes with
    "variables", "variable", "folder", "warnings", "decimals", "locale", "recursion", "stdout", "stderr", "slow",
    "errors_of_numpy", "printing",
)  # fmt: skip
LASTING = [act for act in ACTS if act not in ("signals", "thread", "seeds")]


def facts(results: Mapping[TrialSpec, TrialResult]) -> dict[str, Any]:
    """All that must not depend on what ran before, of the others."""
    return {
        spec.run_key: (
            results[spec].outcome,
            {name: value for name, value in results[spec].metrics.items() if name not in TIMES},
            results[spec].epochs,
            {tag: text for tag, text in results[spec].tags.items() if tag.endswith("sha256") or tag == names.CHANGED},
        )
        for spec in OTHERS
    }


class Whole(Collected):
    """With the figures, as they are at the end."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        self.results[spec] = replace(result, epochs=(), layers=(), artefact=b"")


def trained(packs: Sequence[TrialSpec], load: Any = lambda: DATA) -> dict[TrialSpec, TrialResult]:
    collected = Whole()
    local.run([[spec] for spec in packs], load, collected)
    return collected.results


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The facts of the others without a plug-in."""
    return facts(trained(OTHERS))


@pytest.fixture
def unchanged(alone: dict[str, Any]) -> Iterator[None]:
    """The process is after the test what it was before, once a first training has loaded all libraries."""
    before, means, threads = values_of(_all_settings()), bindings(), {t.name for t in threading.enumerate()}
    yield
    now = values_of(_all_settings())
    assert [s.words for s in before if s.told and s is not VARIABLES and now[s] != before[s]] == []
    assert now[VARIABLES] | OWN == before[VARIABLES] | OWN
    assert replaced(means) == []
    assert {t.name for t in threading.enumerate()} <= {*threads, "left"}


def hostile_spec(acts: Sequence[str], scores: str, **fields: Any) -> TrialSpec:
    method = Hostile(acts=",".join(acts), scores=scores)
    return replace(spec("freeze"), method=method, rate=Decimal("0.9"), tuning=None, **fields)


def acts_of(*names: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True)


@given(
    first=acts_of(*ACTS, *ENDS),
    second=acts_of(*ACTS, *ENDS),
    scores=st.sampled_from(GIVEN),
    built=acts_of(*LASTING),
    passes=acts_of(*LASTING),
    loads=acts_of(*LASTING),
)
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would train for minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_it_does(
    first: list[str],
    second: list[str],
    scores: str,
    built: list[str],
    passes: list[str],
    loads: list[str],
    alone: dict[str, Any],
    unchanged: None,
) -> None:
    """Two criteria, a network and a loader of data in one process with the others."""
    criteria = [hostile_spec(first, scores), hostile_spec(second, "magnitudes", seed=1)]
    packs = [criteria[0], OTHERS[0], spec("freeze", model="hostile"), OTHERS[1], criteria[1], OTHERS[2]]
    with hostile_network(built, passes):
        results = trained(packs, partial(hostile.loaded, DATA, ",".join(loads)))
    assert facts(results) == alone
    for spec_, acts, given_ in zip(criteria, (first, second), (scores, "magnitudes"), strict=True):
        fine = not {*acts} & {*ENDS, "signals", "scopes"} and given_ in HARMLESS
        assert (results[spec_].outcome != names.FAILED) == fine, (acts, given_, results[spec_].reason)
        assert fine or (results[spec_].reason and "\n" not in results[spec_].reason)


@contextmanager
def hostile_network(built: Sequence[str], passes: Sequence[str]) -> Iterator[None]:
    """A model "hostile" that does these acts when it is built, and at every pass."""
    with pytest.MonkeyPatch.context() as patch:
        row = ModelRow(build="hostile:HostileNetwork", image_shape=(1, 28, 28), note="")
        patch.setitem(MODELS, "hostile", row)
        row.layers(10)  # found before it turns hostile
        patch.setattr(hostile.HostileNetwork, "built", ",".join(built))
        patch.setattr(hostile.HostileNetwork, "acts", ",".join(passes))
        yield


@pytest.mark.parametrize("act", [act for act in ACTS if act not in ("scopes", "signals")])  # its own selection fails
def test_what_a_criterion_changed_is_named(act: str, unchanged: None) -> None:
    """Every act by itself, so that none hides behind another."""
    asked = hostile_spec([act], "magnitudes")
    sample = (torch.zeros(4, 1, 28, 28), torch.zeros(4, dtype=torch.int64))
    masks, changed = select(asked, initial_model(asked, 10), sample)
    assert sum(int(mask.sum()) for mask in masks.values()) == 26_620
    assert not any(mask.is_inference() for mask in masks.values())
    assert bool(changed) == (act not in SILENT), changed


@pytest.mark.parametrize("act", LASTING)
def test_a_network_that_changes_the_process_fails(act: str, unchanged: None) -> None:
    with hostile_network([], [act]):
        (result,) = trained([spec("freeze", model="hostile")]).values()
    assert (result.outcome == names.FAILED) == (act not in OF_PYTHON)


def test_settings_changed_by_another_thread() -> None:
    """What was computed with other settings than its run key says is no result."""
    events = train_epochs([spec("freeze", epochs=2)], DATA, "cpu")
    next(events)
    other = threading.Thread(target=torch.set_default_dtype, args=(torch.float64,))
    other.start(), other.join()
    (result,) = [event for event in events if isinstance(event, TrialResult)]
    said = "RuntimeError: the default dtype changed during training, by other code in this process (train.py:"
    assert (result.outcome, result.reason.rpartition(":")[0] + ":") == (names.FAILED, said)
    assert torch.get_default_dtype() is torch.float32


def test_building_a_network_may_change_what_is_put_back(alone: dict[str, Any], unchanged: None) -> None:
    with hostile_network([], []):
        (before,) = trained([spec("freeze", model="hostile")]).values()
    with hostile_network(["cudnn", "threads", "variables", "warnings", "relu"], []):
        (after,) = trained([spec("freeze", model="hostile")]).values()
    assert before.outcome == after.outcome == names.DONE
    assert before.tags[names.WEIGHTS_SHA256] == after.tags[names.WEIGHTS_SHA256]
    assert facts(trained(OTHERS)) == alone


@pytest.fixture
def ray() -> Iterator[None]:
    ray_process.start(None)
    yield
    ray_process.stop()


def exits(model: Any, batches: Any, loss: Any, generator: Any) -> Any:
    """Ends the worker."""
    os._exit(0)


@pytest.mark.slow
def test_on_ray(alone: dict[str, Any], ray: None) -> None:
    """Every act, some at a time, and every end, the others between them; a worker trains one after the other."""
    fine = [act for act in ACTS if act not in ("signals", "scopes")]
    plugged = [hostile_spec(fine[start::9], "magnitudes") for start in range(9)]
    plugged += [hostile_spec([act], "magnitudes") for act in ("signals", "scopes", *ENDS)]
    plugged += [hostile_spec(["slow"], scores) for scores in ("nan", "transposed", "listed", "nothing")]
    ends = replace(plugged[0], method=Method(criterion=exits, background="freeze"))
    order = [*plugged[:5], OTHERS[0], *plugged[5:9], ends, *plugged[9:13], OTHERS[1], *plugged[13:], OTHERS[2]]
    collected = Whole()
    load = partial(hostile.loaded, DATA, ",".join(act for act in LASTING if act not in ("folder", "stderr")))
    resources = {"cpus_per_trial": 1, "gpus_per_trial": 0, "address": None, "max_retries": 0}
    schedule.run([[spec] for spec in order], engine, load, collected, **resources)
    assert set(collected.results) == set(order)
    assert facts(collected.results) == alone
    assert collected.results[ends].reason.startswith("the worker was lost, 1 times")
    assert [s for s in plugged if collected.results[s].outcome == names.FAILED] == plugged[9:]
