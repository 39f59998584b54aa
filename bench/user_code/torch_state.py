"""What torch has that code can change: a row per setting, with the value that every trial runs with.

So a number does not depend on what another criterion, or the user's own notebook, has set before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.backends import cuda, cudnn, mkldnn, opt_einsum
from torch.nn.modules import module

from bench.user_code.process_state import KEEP, Setting

AUTOCAST = {"cpu": torch.bfloat16, "cuda": torch.float16}  # device -> torch's own type
HOOKS = [name for name in vars(module) if name.startswith("_global_") and isinstance(vars(module)[name], dict)]
OPERATIONS = [getattr(mkldnn, name) for name in ("matmul", "conv", "rnn") if hasattr(mkldnn, name)]
PRECISION: tuple[Any, ...] = (*OPERATIONS, mkldnn, torch.backends)  # who have one for float32: the CPU, and in general


def _attribute(words: str, owner: Any, name: str, neutral: Any = KEEP) -> Setting:
    return Setting(words, lambda: getattr(owner, name), lambda value: setattr(owner, name, value), neutral)


def _autocast() -> list[tuple[bool, torch.dtype]]:
    return [(torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)) for device in AUTOCAST]


def _set_autocast(state: list[tuple[bool, torch.dtype]]) -> None:
    for device, (enabled, dtype) in zip(AUTOCAST, state, strict=True):
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, dtype)
    torch.clear_autocast_cache()


_inference_modes: list[Any] = []  # entered to leave one that was never left; ended, they would bring it back


def _set_inference_mode(enabled: bool) -> None:
    mode = torch.inference_mode(enabled)
    mode.__enter__()
    _inference_modes.append(mode)


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)  # with one, every call is slower


def _flushes_denormals() -> bool:
    return not (torch.tensor(1e-310, dtype=torch.float64, device="cpu") * 1).item()


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _precisions() -> list[str]:
    return [owner.fp32_precision for owner in PRECISION]


def _set_precisions(precisions: list[str]) -> None:
    for owner, precision in zip(PRECISION, precisions, strict=True):
        owner.fp32_precision = precision


def _tf32() -> tuple[bool, bool]:
    return cuda.matmul.allow_tf32, cudnn.allow_tf32


def _set_tf32(state: tuple[bool, bool]) -> None:
    cuda.matmul.allow_tf32, cudnn.allow_tf32 = state


def _modes() -> tuple[int, Any]:
    return torch._C._len_torch_function_stack(), torch._C._autograd._top_saved_tensors_default_hooks(False)


def _leave_modes(state: tuple[int, Any]) -> None:
    """Leave those that were entered since; torch has no public word for it."""
    while torch._C._len_torch_function_stack() > state[0]:
        torch._C._pop_torch_function_stack()
    while (hooks := _modes()[1]) is not None and hooks != state[1]:
        torch._C._autograd._pop_saved_tensors_default_hooks()


def _hooks() -> dict[str, dict[Any, Any]]:
    return {name: dict(vars(module)[name]) for name in HOOKS}


def _set_hooks(hooks: dict[str, dict[Any, Any]]) -> None:
    for name, registered in hooks.items():
        vars(module)[name].clear()
        vars(module)[name].update(registered)


# What a number is computed with. Those of TF32 and cuDNN's determinism are fields of a trial.
ARITHMETIC: Sequence[Setting] = (
    Setting("the gradient mode", torch.is_grad_enabled, torch.set_grad_enabled, neutral=True, of_thread=True),
    Setting("inference mode", torch.is_inference_mode_enabled, _set_inference_mode, neutral=False, of_thread=True),
    Setting(
        "autocast", _autocast, _set_autocast, neutral=[(False, dtype) for dtype in AUTOCAST.values()], of_thread=True
    ),
    Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype, neutral=torch.float32),
    Setting("the default device", torch.get_default_device, _set_device, neutral=torch.device("cpu"), of_thread=True),
    Setting("modes of torch", _modes, _leave_modes, of_thread=True),  # behind the device, which is one of them
    Setting("the number of threads", torch.get_num_threads, torch.set_num_threads, of_thread=True),
    Setting("denormal numbers", _flushes_denormals, torch.set_flush_denormal, neutral=False, of_thread=True),
    Setting("deterministic algorithms", _deterministic, _set_deterministic, neutral=(False, False)),
    Setting("anomaly detection", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, neutral=False),
    Setting("TF32", _tf32, _set_tf32),  # before the next, which it sets to one of two values
    Setting(
        "the precision of float32 products",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        neutral="highest",
    ),
    Setting("the precision of float32", _precisions, _set_precisions, neutral=["none"] * len(PRECISION)),
    _attribute("oneDNN", mkldnn, "enabled", neutral=True),
    _attribute("cuDNN", cudnn, "enabled", neutral=True),
    _attribute("cuDNN's choice by timing", cudnn, "benchmark", neutral=False),
    _attribute("cuDNN's determinism", cudnn, "deterministic"),
    _attribute("the order of einsum", opt_einsum, "enabled"),
    Setting("hooks of all modules", _hooks, _set_hooks, neutral={name: {} for name in HOOKS}),
)


def _generators() -> tuple[bytes, ...]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states.append(torch.cuda.get_rng_state())
    return tuple(state.numpy().tobytes() for state in states)


def _set_generators(states: tuple[bytes, ...]) -> None:
    restore: list[Callable[[torch.Tensor], object]] = [torch.set_rng_state, torch.cuda.set_rng_state]
    for state, write in zip(states, restore, strict=False):
        write(torch.frombuffer(bytearray(state), dtype=torch.uint8))


TORCH: Sequence[Setting] = (
    *ARITHMETIC,
    Setting("torch's global generator", _generators, _set_generators, told=False),
)
