"""Transformers of random weights, made of a configuration: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

TARGETS = ("q_proj", "v_proj")
VOCABULARY = 64


def llama(*, hidden: int = 32, layers: int = 2, seed: int = 0) -> nn.Module:
    """A Llama with grouped keys and values, so that its layers are not all square; in evaluation mode."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: nn.Module = LlamaForCausalLM(config).eval()
    return network


def tokens(sequences: int = 6, length: int = 9) -> tuple[Tensor, Tensor]:
    """Random sequences, and for each token the next one."""
    drawn = torch.from_numpy(np.random.RandomState(0).randint(0, VOCABULARY, (sequences, length + 1)))
    return drawn[:, :-1], drawn[:, 1:]


def next_token_loss(logits: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(logits.flatten(0, 1), y.flatten())


def adapted(model: nn.Module, mask_function: Any, *, r: int = 2, targets: tuple[str, ...] = TARGETS) -> Any:
    """The model with an adapter of SHiRA at these layers."""
    from peft import ShiraConfig, get_peft_model

    config = ShiraConfig(r=r, target_modules=list(targets))
    config.mask_fn = mask_function
    return get_peft_model(model, config)


def with_random_values(model: Any) -> Any:
    """The adapted model with values as trained ones are: small, no two alike, the same on every machine."""
    random = np.random.RandomState(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "shira_weight" in name:
                parameter.copy_(torch.from_numpy(1e-3 * random.standard_normal(parameter.shape)))
    return model


def file_of(model: Any, folder: Path) -> Path:
    """PEFT's file of the adapter."""
    model.save_pretrained(folder)
    return folder / "adapter_model.safetensors"
