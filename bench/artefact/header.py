"""What the header of a stored network says, as it is checked when the file is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.canonical import key_of
from bench.methods.background import LARGEST, is_scale, scale_of
from bench.methods.fading import PATHS, SETTINGS
from bench.trial.start import Head, Norm
from bench.trial.streams import SEED_LIMIT

Count = Annotated[int, Field(ge=0)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """Fields of exactly these types, and no others."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Lenient(BaseModel):
    """These fields of exactly these types, and any others."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)


class Checksums(Strict):
    """SHA-256, in hexadecimal."""

    init: Hash  # of the initial weights: `bench.models.initialise.checksum`
    mask: Hash  # `bench.engine.setup.checksums.mask_checksum`
    weights: Hash  # of all parameters and buffers that the file gives: `bench.models.initialise.checksum`
    logits: Hash  # `bench.engine.setup.checksums.logits_checksum`


class BaseRecord(Strict):
    """The network that a trial started from."""

    key: Hash  # the run key of the trial that trained it, or `weights` if it was given as a file
    weights: Hash  # SHA-256 of its parameters and buffers: `bench.models.initialise.checksum_of`


class MethodRecord(Lenient):
    """What loading needs of a method's record; the rest is kept as it is."""

    background: Literal["freeze", "prune"] | Annotated[float, Field(gt=0, le=LARGEST)]

    @property
    def background_scale(self) -> float:
        """How many times their value at the start dead weights hold: 1 frozen, 0 pruned; at the end, if that fades."""
        return scale_of(self.background) if self.fade_to is None else self.fade_to

    @property
    def fade_to(self) -> float | None:
        """The scale to which the background fades; None if it does not."""
        extra = self.model_extra or {}
        return float(extra.get("fade_to", SETTINGS["fade_to"])) if extra.get("fade") in tuple(PATHS) else None

    @model_validator(mode="after")
    def _check_fade(self) -> MethodRecord:
        """Whether what the record keeps as it is has an end that can be one."""
        extra = self.model_extra or {}
        if extra.get("fade") in tuple(PATHS) and not is_scale(extra.get("fade_to", 0)):
            raise ValueError(f"fade_to of the background: must be 0 <= fade_to <= {LARGEST}")
        return self

    @property
    def control(self) -> str:
        """A name of `bench.methods.types.Control`; "none" if the record has none."""
        return str((self.model_extra or {}).get("control", "none"))

    @property
    def trains_weights(self) -> bool:
        """Whether the live weights are trained; True if the record does not say."""
        return bool((self.model_extra or {}).get("trains_weights", True))


class StartRecord(Lenient):
    """What loading needs of a start's record; the rest is kept as it is."""

    head: Head
    norm: Norm


class SpecRecord(Lenient):
    """What loading needs of a TrialSpec's record; the rest is kept as it is."""

    model: str
    initialiser: str
    seed: Annotated[int, Field(ge=0, lt=SEED_LIMIT)]
    precision: str
    threads: Annotated[int, Field(ge=1)]
    method: MethodRecord
    start: StartRecord | None = None

    @model_serializer(mode="wrap")
    def _as_recorded(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The record without a start if it has none: a run key is made of it."""
        record: dict[str, Any] = dump(self)
        return record if self.start else {name: value for name, value in record.items() if name != "start"}


class Header(Strict):
    """Everything in a file except its numbers."""

    spec: SpecRecord  # TrialSpec.record(): seed, initialiser, model and data set among it
    image_shape: Annotated[list[Annotated[int, Field(ge=1, le=512)]], Field(min_length=3, max_length=3)]  # C, H, W
    classes: Annotated[int, Field(ge=2, le=1 << 16)]
    live: list[Count]  # live weights of each maskable tensor, in the model's order
    value_type: str  # of the live values; biases and BatchNorm keep the weights' own type
    scales: list[float]  # of int8 values, one per maskable tensor
    counters: dict[str, list[int]]  # buffers of whole numbers
    parts: Annotated[list[Count], Field(min_length=3, max_length=3)]  # bytes of mask, live values, others
    sha256: Checksums
    test_accuracy: float  # of this network, when it was stored
    made_with: dict[str, str]  # versions
    # Left out of a file whose trial started from drawn weights.
    base: BaseRecord | None = Field(default=None, validate_default=True)

    # Which groups have bits instead of a mask, of a network with closed channels; else left out.
    channels: Literal["inner", "stream"] | None = None

    # Whether filters have bits instead of weights (`bench.artefact.mask_part`); left out if not.
    filters: Literal[True] | None = None

    @property
    def run_key(self) -> str:
        """The run key of the trial that left the network."""
        return key_of(self.spec.model_dump())

    @property
    def needs_base(self) -> bool:
        """Whether the network has frozen weights that only its base gives."""
        return self.base is not None and not self.is_self_contained

    @property
    def is_self_contained(self) -> bool:
        """Whether the file gives every weight: none is dead, or those are 0. The network may be of a plug-in."""
        mask_bytes = self.parts[0]  # 0 if every tensor is wholly live, or wholly dead
        if not self.spec.method.trains_weights:
            return False
        return self.spec.method.background_scale == 0 or (mask_bytes == 0 and all(self.live))

    @field_validator("base")
    @classmethod
    def _goes_with_start(cls, base: BaseRecord | None, info: ValidationInfo) -> BaseRecord | None:
        if "spec" in info.data and (base is None) is not (info.data["spec"].start is None):
            raise ValueError("must be there if the spec has a start, and only then")
        return base

    @field_validator("filters")
    @classmethod
    def _not_beside_channels(cls, filters: Literal[True] | None, info: ValidationInfo) -> Literal[True] | None:
        if filters and info.data.get("channels"):
            raise ValueError("must not be there beside channels")
        return filters


def first_error(error: ValidationError) -> str:
    """Its field and what is wrong there, in one line."""
    first = error.errors()[0]
    field = "".join(f"{', ' if i == 0 else '.'}{name}" for i, name in enumerate(first["loc"]))
    return f"{field}: {first['msg']}, found {str(first['input'])[:60]!r}"
