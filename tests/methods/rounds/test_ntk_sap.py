"""NTK-SAP: closed forms, finite differences, and masks that do not see the initial weights."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Linear2, Mlp, NormRelu, batches, square_batches
from torch import Tensor, nn
from torch.func import functional_call

from bench.methods import NTKSAP, Masks
from bench.methods.maskable import LiveHead, maskable
from bench.methods.rounds.loop import in_rounds, whole
from bench.methods.rounds.ntk_sap import Draw, draws, sensitivity

GENERATOR = np.random.RandomState(0)
NETWORKS = {"mlp": (Mlp, batches), "conv-norm": (ConvNorm, square_batches), "norm-relu": (NormRelu, square_batches)}
Data = list[tuple[Tensor, Tensor]]


def no_loss(logits: Tensor, labels: Tensor) -> Tensor:
    raise AssertionError("NTK-SAP needs no labels")


def network(name: str) -> tuple[nn.Module, Data]:
    torch.manual_seed(0)
    make, data = NETWORKS[name]
    return make().double(), data()


def leaves(mask: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: m.clone().requires_grad_() for name, m in mask.items()}


def fixed(model: nn.Module, data: Data, redraws: int = 2) -> list[Draw]:
    return list(draws(model, data, redraws, np.random.RandomState(5)))


def masks_of(model: nn.Module, terms: list[Draw], rate: str, rounds: int = 3) -> Masks:
    """The masks with these redraws in every round."""
    masks = whole(model)
    counts = NTKSAP(rounds=rounds).live_after(masks, Fraction(rate))
    return in_rounds(masks, counts, lambda mask: sensitivity(model, mask, terms, 0.01))


def test_a_linear_layer_in_closed_form() -> None:
    # f(x; m w) - f(x; m (w + ε z)) = -ε Σ m_i z_i x_i, so ∂S/∂m_j = 2 ε² Σ_n (Σ_i m_i z_i x_ni) z_j x_nj.
    x, z = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]]).double(), torch.tensor([[2.0, -1.0, 0.5]]).double()
    model, mask = Linear2((9.0, 8.0, 7.0)), torch.tensor([[1.0, 1.0, 0.0]]).double()
    draw = Draw(images=x, weights={"layer.weight": torch.randn(1, 3).double()}, steps={"layer.weight": z})
    scores = sensitivity(model, {"layer.weight": mask.requires_grad_()}, [draw], 0.1)["layer.weight"]
    # Σ_i m_i z_i x_ni is 2 - 2 = 0 for the first image and 1 for the second; z x of it is (1, 0, 1.5).
    assert scores.tolist()[0] == pytest.approx([2 * 0.01 * 1.0, 0.0, 0.0], rel=1e-12)


def test_two_layers_in_closed_form() -> None:
    # D = m1 m2 x c, c = -(ε (w1 z2 + z1 w2) + ε² z1 z2); ∂(D²)/∂m1 = 2 m1 m2² x² c², and so for m2.
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    value = {"0.weight": 2.0, "1.weight": -3.0}, {"0.weight": 0.5, "1.weight": 4.0}
    weights, steps = ({n: torch.full((1, 1), v, dtype=torch.float64) for n, v in of.items()} for of in value)
    draw = Draw(images=torch.tensor([[1.5]]).double(), weights=weights, steps=steps)
    mask = {"0.weight": torch.tensor([[1.0]]).double(), "1.weight": torch.tensor([[0.5]]).double()}
    scores = sensitivity(model, leaves(mask), [draw, draw], 0.1)
    c = 0.1 * (2 * 4 + 0.5 * -3) + 0.01 * 0.5 * 4
    assert float(scores["0.weight"]) == pytest.approx(2 * 2 * 1 * 0.5**2 * 1.5**2 * c**2, rel=1e-12)
    assert float(scores["1.weight"]) == pytest.approx(2 * 2 * 0.5 * 1 * 1.5**2 * c**2, rel=1e-12)


def test_masks_of_a_linear_layer_in_closed_form() -> None:
    # Scores ∝ |s z_j x_j|, s = Σ_live z_i x_i. z x = (4, -3, 2, 1): the order is that of |z x|.
    # Two of four stay, then one: the first, whatever w0 is.
    draw = Draw(
        images=torch.ones(1, 4).double(),
        weights={"layer.weight": torch.zeros(1, 4).double()},
        steps={"layer.weight": torch.tensor([[4.0, -3.0, 2.0, 1.0]]).double()},
    )
    masks = [masks_of(Linear2(w), [draw], "0.75", 2) for w in ((1.0, 2.0, 3.0, 4.0), (-9.0, 0.0, 0.1, 5.0))]
    assert [m["layer.weight"].tolist() for m in masks] == [[[True, False, False, False]]] * 2
    half = masks_of(Linear2((1.0, 2.0, 3.0, 4.0)), [draw], "0.5", 1)
    assert half["layer.weight"].tolist() == [[True, True, False, False]]


def test_ties_and_weights_that_nothing_depends_on() -> None:
    # Σ z x over the live ones is 0: every score is 0, and the earlier weights stay.
    draw = Draw(
        images=torch.ones(1, 2).double(),
        weights={"layer.weight": torch.ones(1, 2).double()},
        steps={"layer.weight": torch.tensor([[3.0, -3.0]]).double()},
    )
    assert masks_of(Linear2((1.0, 1.0)), [draw], "0.5", 1)["layer.weight"].tolist() == [[True, False]]


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_derivative_by_the_mask(name: str) -> None:
    """Against finite differences of S, with plain modules: BatchNorm's statistics are set first, then constants."""
    model, data = network(name)
    terms = fixed(model, data)
    torch.manual_seed(1)
    mask = {n: (torch.rand_like(w) < 0.8).double() for n, w in maskable(model).items()}
    scores = sensitivity(model, leaves(mask), terms, 0.05)
    nets = [statistics_of(model, term, mask) for term in terms]

    def total(moved: dict[str, Tensor]) -> float:
        return sum(squares(net, term, moved, 0.05) for net, term in zip(nets, terms, strict=True))

    for n, m in mask.items():
        for j in (0, 5, 8):
            pair = []
            for h in (1e-5, -1e-5):
                moved = {**mask, n: m.clone()}
                moved[n].view(-1)[j] += h
                pair.append(total(moved))
            slope = abs(pair[0] - pair[1]) / 2e-5 * float(m.view(-1)[j])
            assert scores[n].view(-1)[j].item() == pytest.approx(slope, rel=1e-5, abs=1e-9)


def statistics_of(model: nn.Module, term: Draw, mask: dict[str, Tensor]) -> nn.Module:
    """A copy in evaluation mode whose BatchNorms have the mean and unbiased variance of the term's images."""
    net = copy.deepcopy(model).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 1.0
    masked(net, term.weights, mask, term.images)
    return net.eval()


@torch.no_grad()
def masked(net: nn.Module, weights: Any, mask: dict[str, Tensor], images: Tensor) -> Tensor:
    outputs: Tensor = functional_call(net, {n: m * weights[n] for n, m in mask.items()}, (images,))
    return outputs


def squares(net: nn.Module, term: Draw, mask: dict[str, Tensor], epsilon: float) -> float:
    moved = {n: w + epsilon * term.steps[n] for n, w in term.weights.items()}
    change = masked(net, term.weights, mask, term.images) - masked(net, moved, mask, term.images)
    return float((torch.linalg.vector_norm(change, dim=1) ** 2).sum())


def test_redraws_from_a_list_give_the_same_mask_bit_for_bit_whatever_the_initial_weights_are() -> None:
    model, data = network("norm-relu")
    terms, other = fixed(model, data), copy.deepcopy(model)
    with torch.no_grad():
        for w in maskable(other).values():
            w.copy_(-3 * w.flatten().flip(0).view(w.shape))
    one, two = masks_of(model, terms, "0.9"), masks_of(other, terms, "0.9")
    assert all(torch.equal(one[n], two[n]) for n in one)
    third = masks_of(model, fixed(other, data), "0.9")
    assert any(not torch.equal(one[n], third[n]) for n in one)


def test_over_all_orders_of_a_layer_the_scores_do_not_see_its_order() -> None:
    """Each order of the layer's entries is as likely: the mean score is the same for weights in another order."""
    model = nn.Sequential(nn.Linear(3, 1, bias=False), nn.ReLU(), nn.Linear(1, 1, bias=False)).double()
    steps = {n: torch.full_like(w, 0.7) for n, w in maskable(model).items()}
    x, second = torch.tensor([[1.0, -0.5, 2.0]]).double(), torch.ones(1, 1).double()

    def mean_scores(first: tuple[float, ...]) -> list[float]:
        orders = [torch.tensor([order]).double() for order in permutations(first)]
        terms = [Draw(images=x, weights={"0.weight": w, "2.weight": second}, steps=steps) for w in orders]
        scores: list[float] = sensitivity(model, leaves(whole(model)), terms, 0.01)["0.weight"][0].tolist()
        return scores

    assert mean_scores((0.3, 1.2, -0.4)) == pytest.approx(mean_scores((-0.4, 0.3, 1.2)), rel=1e-12)


def test_a_redraw_is_the_layers_own_weights_in_another_order() -> None:
    model, data = network("mlp")
    first, second, *_ = terms = fixed(model, data)
    assert len(terms) == 2 * len(data) and [len(t.images) for t in terms] == [7, 5, 7, 5]
    for n, w in maskable(model).items():
        assert torch.equal(first.weights[n].flatten().sort().values, w.detach().flatten().sort().values)
        assert not torch.equal(first.weights[n], second.weights[n]) and not torch.equal(first.weights[n], w)
        assert first.steps[n].shape == w.shape and not torch.equal(first.steps[n], second.steps[n])


def test_a_head_that_is_hidden_is_drawn_anew_too() -> None:
    """What is given no mask is live, and random as all weights are: its scores are those under a mask of ones."""
    model, data = network("mlp")
    *_, (name, head) = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    terms = fixed(model, data)
    plain = sensitivity(model, leaves(whole(model)), terms, 0.01)
    hidden = copy.deepcopy(model)
    assert isinstance(head, nn.Linear)
    setattr(hidden, name, LiveHead(head))
    again = fixed(hidden, data)
    assert again[0].weights.keys() == terms[0].weights.keys() and f"{name}.weight" not in maskable(hidden)
    pairs = zip(terms, again, strict=True)
    assert all(torch.equal(one.weights[n], other.weights[n]) for one, other in pairs for n in one.weights)
    scores = sensitivity(hidden, leaves(whole(hidden)), again, 0.01)
    assert all(torch.equal(scores[n], plain[n]) for n in scores) and scores.keys() == plain.keys() - {f"{name}.weight"}


def test_every_round_keeps_its_exact_number_and_masks_are_nested() -> None:
    model, data = network("norm-relu")
    method = NTKSAP(rounds=4, redraws=1)
    seen: list[int] = []
    generator = np.random.RandomState(3)

    def score(mask: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(int(sum(m.detach().sum() for m in mask.values())))
        return sensitivity(model, mask, draws(model, data, 1, generator), 0.01)

    counts = method.live_after(whole(model), Fraction("0.9"))
    masks = in_rounds(whole(model), counts, score)
    assert [*seen, sum(int(m.sum()) for m in masks.values())] == [144, *counts] and counts == [81, 46, 26, 14]
    chosen = method.select(model, data, no_loss, Fraction("0.9"), np.random.RandomState(3))
    assert all(torch.equal(chosen[n], masks[n]) for n in masks)


def test_images_mode_and_precision_do_not_matter() -> None:
    model, data = network("norm-relu")
    blank = [(torch.full_like(x, torch.nan), y) for x, y in data]
    method, rate = NTKSAP(rounds=2, redraws=2), Fraction("0.8")
    model = model.float()
    one = method.select(model.eval(), data, no_loss, rate, np.random.RandomState(0))
    two = method.select(model.double().train(), blank, no_loss, rate, np.random.RandomState(0))
    assert all(torch.equal(one[n], two[n]) for n in one)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"redraws": 0}, "redraws 0: must be a whole number >= 1"),
        ({"rounds": 0}, "rounds 0: must be a whole number >= 1"),
        ({"epsilon": 0}, "epsilon 0.0: must be epsilon > 0"),
        ({"epsilon": float("nan")}, "epsilon nan: must be epsilon > 0"),
        ({"scope": "uniform"}, "scope 'uniform' of NTKSAP: must be 'global'"),
    ],
)
def test_fields_out_of_range(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NTKSAP(**fields)


def test_fields_are_recorded() -> None:
    record = NTKSAP(epsilon=1).record()
    assert (record["rounds"], record["redraws"], record["epsilon"]) == (20, 5, 1.0)
    assert NTKSAP(background="freeze").record() == {**NTKSAP().record(), "background": "freeze"}


def test_a_sample_is_needed_for_its_shape() -> None:
    with pytest.raises(ValueError, match="criterion sample of 0 images"):
        NTKSAP().select(Mlp(), [], no_loss, Fraction("0.5"), GENERATOR)
