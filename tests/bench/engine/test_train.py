"""The engine: what a trial reports, what trials at one seed share, and what happens when one goes wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from small_trials import images, pictures, spec
from tiny_networks import ConvNorm

from bench import metrics, names
from bench.engine.measures.gradients import gradient_figures
from bench.engine.member import Epoch, Member
from bench.engine.setup.checksums import mask_checksum
from bench.engine.setup.prepare import Trial, indices, prepare, select
from bench.engine.train import Training, train, train_epochs
from bench.methods import METHODS, Method
from bench.methods.maskable import maskable
from bench.test_right import decoded

DATA = images()


def train_alone(member: Member, trial: Trial) -> None:
    """Train a prepared trial in place."""
    member.begin(trial)
    for _ in Training([member]).events():
        pass


def test_methods_at_one_seed_share_everything_but_the_mask() -> None:
    trials = {m: prepare(spec(m), DATA, "cpu") for m in ("freeze", "snip", "grasp", "random-prune", "iter-snip")}
    one = trials["freeze"]
    for trial in trials.values():
        assert trial.init_sha256 == one.init_sha256
        assert torch.equal(trial.train_indices, one.train_indices)
        assert torch.equal(trial.validation_indices, one.validation_indices)
        assert all(torch.equal(mine, its) for mine, its in zip(trial.probe, one.probe, strict=True))
    assert all(torch.equal(one.masks[n], trials["snip"].masks[n]) for n in one.masks)
    assert any(not torch.equal(one.masks[n], trials["grasp"].masks[n]) for n in one.masks)
    other = prepare(spec(seed=1), DATA, "cpu")
    assert other.init_sha256 != one.init_sha256 and not torch.equal(other.train_indices, one.train_indices)


SEEN: list[dict[str, Any]] = []


def spy(model: Any, batches: Any, loss: Any, generator: np.random.RandomState) -> Any:
    """A criterion that notes what it is given."""
    ((x, y),) = batches
    SEEN.append(
        {
            "dtype": x.dtype,
            "images": x.clone(),
            "per class": y.bincount().tolist(),
            "drawn": generator.randint(10**6),
            "modes": [m.training for m in model.modules()],
            "settings": (torch.get_num_threads(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic),
        }
    )
    torch.rand(1)
    return {n: w.detach().abs() for n, w in maskable(model).items()}


def test_the_criterion_sees_the_same_balanced_sample_of_the_training_split() -> None:
    SEEN.clear()
    for background in ("freeze", "prune"):
        trial = prepare(replace(spec(), method=Method(criterion=spy, background=background)), DATA, "cpu")  # type: ignore[arg-type]
    one, other = SEEN
    assert torch.equal(one["images"], other["images"]) and one["drawn"] == other["drawn"]
    assert one["dtype"] == torch.float64 and one["per class"] == [10] * 10
    training = trial.train.batch(trial.train_indices)[0].double()
    distance = (one["images"][:, None] - training[None]).abs().amax((2, 3, 4)).min(1).values
    assert float(distance.max()) < 1e-5  # every image is one of the training split
    sample = indices(spec(), DATA)[1]
    assert set(sample.tolist()) <= set(trial.train_indices.tolist())


def test_scoring_sets_batch_normalisation_alone_and_leaves_the_random_state() -> None:
    for statistics in ("batch", "running"):
        SEEN.clear()
        model, state = ConvNorm(), torch.get_rng_state()
        s = replace(spec(rate="0.5"), method=Method(criterion=spy, background="prune"), criterion_statistics=statistics)  # type: ignore[arg-type]
        select(s, model, (torch.zeros(2, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1])))
        norm = [isinstance(m, torch.nn.BatchNorm2d) for m in model.modules()]
        assert SEEN[0]["modes"] == (norm if statistics == "batch" else [False] * len(norm))
        assert torch.equal(state, torch.get_rng_state())
        assert all(m.training for m in model.modules())


def test_gradient_figures_use_batch_statistics_and_restore_the_buffers() -> None:
    torch.manual_seed(0)
    model = ConvNorm().double()
    model.drop.p = 0.0
    x, y = torch.randn(9, 1, 4, 4, dtype=torch.float64) * 3 + 1, torch.arange(9) % 3
    masks = {n: torch.ones_like(w, dtype=torch.bool) for n, w in maskable(model).items()}
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    figures, _ = gradient_figures(model, masks, x, y)
    assert all(torch.equal(b, buffers[n]) for n, b in model.named_buffers())
    loss = torch.nn.functional.cross_entropy(model.train()(x), y)
    expected = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(maskable(model).values()))]).norm()
    assert figures[names.GRAD_NORM_ALL] == pytest.approx(float(expected))


def test_the_primary_figure_is_the_test_accuracy_of_the_final_network() -> None:
    labels = (DATA.test_labels + torch.arange(len(DATA.test_labels)) % 2) % 10  # every second test label is wrong
    data = replace(DATA, test_labels=labels)
    s = spec("dense", epochs=2, batch_size=70)
    trial, member = prepare(s, data, "cpu"), Member(s)
    assert torch.equal(trial.probe[0], trial.train.batch(trial.train_indices[:256])[0])
    train_alone(member, trial)
    images = (data.test_images / 255 - data.mean[0]) / data.std[0]
    right = trial.model.eval()(images).argmax(1) == labels
    assert member.metrics[names.TEST_ACCURACY] == float(right.double().mean())
    assert decoded(member.tags[names.TEST_RIGHT]).tolist() == right.tolist()
    assert member.epochs[-1][names.VALIDATION_ACCURACY] > 0.8 > member.metrics[names.TEST_ACCURACY]


def test_the_training_loss_is_the_mean_over_images() -> None:
    s = spec("dense", batch_size=70, lr=1e-30)  # so small that the weights stay: every image is seen at the start
    trial, member = prepare(s, DATA, "cpu"), Member(s)
    x, y = trial.train.batch(trial.train_indices)
    expected = float(torch.nn.functional.cross_entropy(trial.model(x), y).detach())
    train_alone(member, trial)
    assert len(trial.train_indices) % 70 != 0
    assert member.epochs[1][names.TRAIN_LOSS] == pytest.approx(expected, rel=1e-5)


def test_every_step_takes_the_schedules_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engine import trainers as engine
    from bench.engine.steps.learning_rate import learning_rate

    rates: list[float] = []

    class Spy(engine.LiveOptimizer):
        def step(self, lr: float) -> None:
            rates.append(lr)
            super().step(lr)

    monkeypatch.setattr(engine, "LiveOptimizer", Spy)
    s = spec(epochs=3, batch_size=90)
    train([s], DATA, "cpu")
    assert rates == [learning_rate(s, i, 12) for i in range(12)] and len(set(rates)) == 12


def test_orders_differ_between_seeds() -> None:
    from bench.trial.streams import stream

    first, second = (stream(seed, "order").permutation(360).tolist() for seed in (0, 1))
    assert first != second
    results = train([spec(seed=0), replace(spec(seed=0), seed=1)], DATA, "cpu")
    assert results[0].epochs != results[1].epochs


def test_a_weight_that_moves_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engine import trainers as engine

    class Leaking(engine.LiveOptimizer):
        def step(self, lr: float) -> None:
            super().step(lr)
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.mul_(1 - 1e-4)

    monkeypatch.setattr(engine, "LiveOptimizer", Leaking)
    result = train([spec()], DATA, "cpu")[0]
    assert result.outcome == names.FAILED and "a dead weight was changed by training" in result.reason


def test_the_data_order_is_a_permutation_and_shared() -> None:
    orders = []
    for method in ("freeze", "snip"):
        trial_spec = spec(method, epochs=2, batch_size=64)
        seen: list[int] = []
        trial = prepare(trial_spec, DATA, "cpu")
        original = type(trial.train).epoch

        def noting(
            self: Any, order: torch.Tensor, batch_size: int, *moves: Any, seen: Any = seen, original: Any = original
        ) -> Any:
            if batch_size == 64:
                seen.extend(order.tolist())
            return original(self, order, batch_size, *moves)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(trial.train), "epoch", noting)
            train([trial_spec], DATA, "cpu")
        half = len(seen) // 2
        assert sorted(seen[:half]) == sorted(seen[half:]) == trial.train_indices.tolist()
        assert seen[:half] != seen[half:]
        orders.append(seen)
    assert orders[0] == orders[1]


def test_a_result_is_complete_and_replays_bit_for_bit() -> None:
    specs = [spec("freeze", epochs=2), spec("snip", epochs=2), spec("dense", epochs=2)]
    results = train(specs, DATA, "cpu")
    for s, result in zip(specs, results, strict=True):
        assert (result.run_key, result.outcome, result.reason) == (s.run_key, names.DONE, "")
        assert set(result.metrics) == set(metrics.final()) - {*names.OF_SOME}
        assert len(result.epochs) == 3
        assert set(result.epochs[0]) == {names.VALIDATION_ACCURACY, *(row.name for row in metrics.GRADIENTS)}
        assert set(result.epochs[2]) == set(metrics.per_epoch())
        assert [layer["name"] for layer in result.layers] == ["fc1.weight", "fc2.weight", "fc3.weight"]
        assert set(result.layers[0]) == {
            "name", "weights", "live", *(f"{g}_{when}" for g in names.PER_LAYER for when in ("first", "last"))
        }  # fmt: skip
        assert sum(layer["live"] for layer in result.layers) == result.metrics[names.LIVE_WEIGHTS]
    assert results[2].metrics[names.TEST_ACCURACY] > 0.9
    alone = train([specs[1]], DATA, "cpu")[0]
    timing = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}
    assert alone.tags == results[1].tags and alone.epochs == results[1].epochs
    assert {k: v for k, v in alone.metrics.items() if k not in timing} == {
        k: v for k, v in results[1].metrics.items() if k not in timing
    }


def test_counts_of_frozen_and_pruned() -> None:
    frozen, pruned, dense = (r.metrics for r in train([spec("freeze"), spec("snip"), spec("dense")], DATA, "cpu"))
    for m in (frozen, pruned):
        assert (m[names.LIVE_WEIGHTS], m[names.STORED_PARAMETERS]) == (26_620, 27_030)
        assert m[names.COMPRESSION] == 266_610 / 27_030
    # Linear layers use each weight once per image. The input gradient skips the first layer (235,200 weights).
    assert (dense[names.FORWARD_MACS], dense[names.BACKWARD_MACS]) == (266_200, 266_200 + 31_000)
    assert (frozen[names.FORWARD_MACS], frozen[names.BACKWARD_MACS]) == (266_200, 26_620 + 31_000)
    assert pruned[names.FORWARD_MACS] == 26_620
    assert 26_620 < pruned[names.BACKWARD_MACS] < 2 * 26_620


@pytest.mark.parametrize(("rate", "stored"), [("0.9", 43_630), ("0.99", 4_885), ("0.995", 2_733), ("0.999", 1_011)])
def test_lenet_5_caffe_counts(rate: str, stored: int) -> None:
    result = train([spec("freeze", rate, model="lenet-5-caffe", batch_size=400)], images(train=400, test=10), "cpu")[0]
    assert result.metrics[names.STORED_PARAMETERS] == stored
    assert result.metrics[names.TOTAL_PARAMETERS] == 431_080
    # Forward, dense: conv1 500 · 24², conv2 25,000 · 8², fc 405,000.
    assert result.metrics[names.FORWARD_MACS] == 500 * 576 + 25_000 * 64 + 405_000


def test_gradient_figures_by_hand() -> None:
    trial = prepare(spec("freeze"), DATA, "cpu")
    x, y = trial.probe
    assert len(y) == 256
    total, layers = gradient_figures(trial.model, trial.masks, x, y)
    trial.model.zero_grad()
    torch.nn.functional.cross_entropy(trial.model(x), y).backward()
    grads = {n: w.grad.double() for n, w in maskable(trial.model).items() if w.grad is not None}
    flat = torch.cat([g.reshape(-1) for g in grads.values()])
    live = torch.cat([g[trial.masks[n]] for n, g in grads.items()])
    assert total[names.GRAD_NORM_ALL] == pytest.approx(float(flat.norm()))
    assert total[names.GRAD_NORM_LIVE] == pytest.approx(float(live.norm()))
    assert total[names.GRAD_ABS_ALL] == pytest.approx(float(flat.abs().mean()))
    assert total[names.GRAD_ABS_LIVE] == pytest.approx(float(live.abs().mean()))
    fc2 = grads["fc2.weight"][trial.masks["fc2.weight"]]
    assert layers["fc2.weight"][names.GRAD_ABS_LIVE] == pytest.approx(float(fc2.abs().mean()))


def test_frozen_and_dense_share_the_gradient_before_training() -> None:
    frozen, dense, pruned = (r.epochs[0] for r in train([spec("freeze"), spec("dense"), spec("snip")], DATA, "cpu"))
    assert frozen[names.GRAD_NORM_ALL] == dense[names.GRAD_NORM_ALL] != pruned[names.GRAD_NORM_ALL]
    assert frozen[names.GRAD_NORM_LIVE] < dense[names.GRAD_NORM_LIVE]


@dataclass(frozen=True, kw_only=True)
class Raising(Method):
    criterion: Any = "none"
    background: Any = "prune"

    def select(self, *args: Any) -> Any:
        raise RuntimeError("no mask\ntoday")


@dataclass(frozen=True, kw_only=True)
class WrongShape(Method):
    criterion: Any = "none"
    background: Any = "prune"

    def select(self, model: Any, *args: Any) -> Any:
        return {n: torch.ones(1, dtype=torch.bool) for n in maskable(model)}


@dataclass(frozen=True, kw_only=True)
class TooMany(Method):
    criterion: Any = "none"
    background: Any = "prune"

    def select(self, model: Any, *args: Any) -> Any:
        return {n: torch.ones_like(w, dtype=torch.bool) for n, w in maskable(model).items()}


def test_a_trial_that_fails_or_diverges_leaves_the_others_alone() -> None:
    pack = [
        spec(),
        replace(spec(), method=Raising()),
        spec(lr=1e6, seed=1),
        replace(spec(), method=WrongShape()),
        replace(spec(), method=TooMany()),
        spec(),
    ]
    results = train(pack, DATA, "cpu")
    assert [r.outcome for r in results] == [
        names.DONE, names.FAILED, names.DIVERGED, names.FAILED, names.FAILED, names.DONE
    ]  # fmt: skip
    assert results[1].reason.startswith("RuntimeError: no mask today (test_train.py:")
    assert "must be torch.bool of shape (300, 784)" in results[3].reason
    assert results[2].reason.startswith(("training loss", "gradient norm"))
    assert names.TEST_ACCURACY not in results[2].metrics and {*metrics.counts()} - {names.TRAINING_EPOCHS} <= {
        *results[2].metrics
    }
    assert "masks of 266200 live weights at rate 0.9: must be exactly 26620" in results[4].reason
    assert results[0].tags == results[5].tags
    for result in results:
        values = [*result.metrics.values(), *(v for e in result.epochs for v in e.values())]
        assert all(np.isfinite(values))


def test_the_best_validation_epoch_is_the_earliest_of_the_trained() -> None:
    result = train([spec("dense", epochs=4)], DATA, "cpu")[0]
    validation = [e[names.VALIDATION_ACCURACY] for e in result.epochs]
    assert result.metrics[names.BEST_EPOCH] == 1 + int(np.argmax(validation[1:]))


def test_epochs_are_yielded_as_they_end() -> None:
    pack = [spec(epochs=2), spec("snip", epochs=1)]
    events = [
        (e.spec.method.background, e.epoch) if isinstance(e, Epoch) else e.run_key
        for e in train_epochs(pack, DATA, "cpu")
    ]
    assert events == [
        ("freeze", 0), ("freeze", 1), ("freeze", 2), pack[0].run_key, ("prune", 0), ("prune", 1), pack[1].run_key
    ]  # fmt: skip


def test_settings_are_set_and_restored() -> None:
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    SEEN.clear()
    train([replace(spec(threads=2, tf32=True), method=Method(criterion=spy, background="freeze"))], DATA, "cpu")
    assert SEEN[0]["settings"] == (2, True, True)
    assert before == (torch.get_num_threads(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic)


def test_float64_and_bfloat16_train() -> None:
    results = train([spec("dense", precision=p, epochs=3) for p in ("float32", "float64", "bfloat16")], DATA, "cpu")
    assert [r.outcome for r in results] == [names.DONE] * 3
    assert len({r.tags[names.WEIGHTS_SHA256] for r in results}) == 3
    assert min(r.metrics[names.TEST_ACCURACY] for r in results) > 0.8


GOLDEN_MASKS = {
    "dense lenet-300-100": "14cb9b6855f435e2",
    "dense lenet-5-caffe": "e633c22e5cc25d92",
    "freeze lenet-300-100": "d7ab9f245d0ff70f",
    "freeze lenet-5-caffe": "84e24dc9cd6e0ee7",
    "snip lenet-300-100": "d7ab9f245d0ff70f",
    "snip lenet-5-caffe": "84e24dc9cd6e0ee7",
    "grasp lenet-300-100": "38f6bb47a9bd5b56",
    "grasp lenet-5-caffe": "20980100fa0ba15f",
    "random-freeze lenet-300-100": "61fbf6673f1b52fc",
    "random-freeze lenet-5-caffe": "18f6d9d4298a374f",
    "random-prune lenet-300-100": "61fbf6673f1b52fc",
    "random-prune lenet-5-caffe": "18f6d9d4298a374f",
    "grasp-freeze lenet-300-100": "38f6bb47a9bd5b56",
    "grasp-freeze lenet-5-caffe": "20980100fa0ba15f",
    "magnitude-freeze lenet-300-100": "33488f79b9a3ab09",
    "magnitude-freeze lenet-5-caffe": "b501ffbd052cf218",
    "magnitude-prune lenet-300-100": "33488f79b9a3ab09",
    "magnitude-prune lenet-5-caffe": "b501ffbd052cf218",
    "iter-snip lenet-300-100": "fa87a79ae3b5557b",
    "iter-snip lenet-5-caffe": "ddde6ca71ab40b8a",
    "iter-snip-freeze lenet-300-100": "fa87a79ae3b5557b",
    "iter-snip-freeze lenet-5-caffe": "ddde6ca71ab40b8a",
    "synflow lenet-300-100": "3067e8397d38726c",
    "synflow lenet-5-caffe": "31c07f11bdd1f71d",
    "synflow-l2 lenet-300-100": "4f495f334316539b",
    "synflow-l2 lenet-5-caffe": "84d758b788963a85",
    "ntk-sap lenet-300-100": "cdf7f1408b335458",
    "px lenet-300-100": "22a71a3283109e08",
    "force lenet-300-100": "1cc2e7e8447e7c91",
    "force lenet-5-caffe": "35e2a47a74ecbd15",
    "prospr lenet-300-100": "04cfc149912a7268",
    "prospr lenet-5-caffe": "6990fea783e7f276",
    "scale-free-magnitude-prune lenet-300-100": "43e4bf6d2ea333a5",
    "scale-free-magnitude-prune lenet-5-caffe": "bdfb8de55a16796c",
    "uniform-magnitude-prune lenet-300-100": "3d36310d4ab9c83a",
    "uniform-magnitude-prune lenet-5-caffe": "01f4aeddeb72e4ab",
    "random-uniform-prune lenet-300-100": "036121a68cdec6d8",
    "random-uniform-prune lenet-5-caffe": "f97953d7cbd97c94",
    "random-er-prune lenet-300-100": "e6ecec5a590e8c03",
    "random-er-prune lenet-5-caffe": "bb3cad813b7558f5",
    "random-erk-prune lenet-300-100": "e6ecec5a590e8c03",
    "random-erk-prune lenet-5-caffe": "89471315135032bf",
    "random-like-snip-prune lenet-300-100": "a615d7d3e1b480c6",
    "random-like-snip-prune lenet-5-caffe": "01fbbc205d5d6c08",
    "random-like-grasp-prune lenet-300-100": "5cb828592d56b1c9",
    "random-like-grasp-prune lenet-5-caffe": "0f66f2d311dcba0e",
    "random-like-synflow-prune lenet-300-100": "5858ad461f90a15e",
    "random-like-synflow-prune lenet-5-caffe": "a55ad8f65b2d0b73",
    "fisher-prune lenet-300-100": "2eba2fb98880b21c",
    "fisher-prune lenet-5-caffe": "d126367a65e94cc2",
    "gradient-prune lenet-300-100": "f61aec527bf33a66",
    "gradient-prune lenet-5-caffe": "b3638c41fa5c9215",
    "small-magnitude-prune lenet-300-100": "ac4a60fb38297ccf",
    "small-magnitude-prune lenet-5-caffe": "1024f474df09bfe5",
    "biases lenet-300-100": "bb18a9e5b42c9fcf",
    "biases lenet-5-caffe": "99d576879b893453",
    "filter-snip-prune lenet-300-100": "8a73af226a44b06b",
    "filter-snip-prune lenet-5-caffe": "9d63c3682ee25a66",
    "filter-magnitude-prune lenet-300-100": "a1cddda8087e7671",
    "filter-magnitude-prune lenet-5-caffe": "6d16fab01c506625",
    "filter-random-prune lenet-300-100": "8c4951a9ed6bda0a",
    "filter-random-prune lenet-5-caffe": "fec90b6dc89449f5",
    "channel-snip-prune resnet20": "f3df113a37768bfe",
    "uniform-width resnet20 0.9": "efc7c7558e59d2b9",
    "random-channels resnet20 0.9": "b74fa987ee083dbb",
    "small-dense lenet-300-100": "cd57f65275b8df58",
    "small-dense resnet20 0.9": "3cfa97492eb78f6a",
    "last-layer lenet-300-100": "37d3799b6f17cdc5",
}


@pytest.mark.parametrize("name", GOLDEN_MASKS)
def test_golden_masks(name: str) -> None:
    """The masks of every method: if one moves, raise ENGINE as for `test_golden_numbers`."""
    method, model, *rate = name.split()
    data, per_class = (pictures(DATA), 2) if model == "resnet20" else (DATA, spec().criterion_per_class)
    trial = prepare(spec(method, *(rate or ["0.98"]), model=model, criterion_per_class=per_class), data, "cpu")
    assert mask_checksum(trial.masks)[:16] == GOLDEN_MASKS[name]


def test_every_method_has_golden_masks() -> None:
    """Up to the background, which no mask depends on; those of a lottery ticket follow from a training."""
    chosen = {name: method for name, method in METHODS.items() if method.at_initialisation}
    records = {name: {**method.record(), "background": ""} for name, method in chosen.items()}
    golden = [records[name.split()[0]] for name in GOLDEN_MASKS]
    assert all(record in golden for record in records.values())


@pytest.mark.parametrize("fields", [{"step": "dense"}, {"step": "sparse"}, {"pack": "vmap"}])
def test_golden_numbers(fields: dict[str, str]) -> None:
    """The final weights of a tiny float64 trial, to five decimals: the same on every machine and of every kind.

    If this fails, the engine computes other numbers than before. If that is meant, raise ENGINE in
    bench/trial/spec.py, so that no old trial is taken for a new one, and put the new hash here.
    """
    s = spec("freeze", "0.99", precision="float64", epochs=2, **fields)
    trial = prepare(s, DATA, "cpu")
    train_alone(Member(s), trial)
    digest = hashlib.sha256()
    for name, weight in maskable(trial.model).items():
        live = weight.detach()[trial.masks[name]] * 1e5
        digest.update(live.round().to(torch.int64).numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == "7ff1d3e7927ef5ccd5471a5a5c55002742855671afb1ebaaeb7ae4fed98a8749"
