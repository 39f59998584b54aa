"""From Python's values to methods, rates, seeds and the fields of a protocol.

What is wrong is a ValueError of one line. Texts mean what they mean on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from types import FunctionType
from typing import Any

from bench.canonical import canonical_json
from bench.execution.protocol_values import with_defaults
from bench.messages import decimal_text, nearest, shortened
from bench.methods import METHODS, Method
from bench.methods.fading import fades
from bench.trial.field_row import FieldRow
from bench.trial.grammar import RATES_HELP, SEEDS_HELP, parse_rates, parse_seeds
from bench.trial.plugins import Catalogue, check_method, check_name, described
from bench.trial.protocol import ROWS

OneMethod = str | Method | Callable[..., Any]  # a function is a criterion: `freeze` and `prune` of it
Methods = OneMethod | Sequence[OneMethod] | Mapping[str, Method]
Rates = str | float | Decimal | Iterable[str | float | Decimal]
Seeds = str | int | Iterable[int]
# Type of a field -> the values it takes, what it keeps of them, and what they must be.
KINDS: Mapping[type, tuple[type, Callable[[Any], Any], str]] = {
    bool: (bool, bool, "True or False"),
    int: (Integral, int, "a whole number"),
    float: (Real, float, "a number"),
    str: (str, str, "a text"),
}
DIGITS = 15  # of a float that a person wrote; those of a sum, as 0.1 + 0.2, are more


def methods_of(methods: Methods, catalogue: Catalogue) -> dict[str, Method]:
    """Name -> method, of names as on the command line, methods, criteria, or a mapping that names them."""
    if isinstance(methods, Mapping):
        pairs = [_named(name, method) for name, method in methods.items()]
    else:
        several = [methods] if isinstance(methods, str | Method) or callable(methods) else list(methods)
        pairs = [pair for one in several for pair in _pairs(one, catalogue)]
    if not pairs:
        raise ValueError("methods: must name at least one")
    return _unique(pairs)


def _pairs(method: OneMethod, catalogue: Catalogue) -> list[tuple[str, Method]]:
    """What one entry of a list means."""
    if isinstance(method, str):
        return [catalogue.parse(name.strip()) for name in method.split(",")]
    if isinstance(method, Method):
        name = catalogue.name_of(method, _described(method, catalogue.built()))
        plain, *settings = name.split(":")
        check_method(plain, method, f"method {name!a}")
        for setting in settings:
            check_name(setting, f"method {name!a}")
        return [(name, method)]
    if isinstance(method, FunctionType):
        both = (_composed(method, background) for background in ("freeze", "prune"))
        return [_named(_described(each), each) for each in both]
    raise ValueError(f"method {_shown(method)}: must be a name, a bench.methods.Method or the function of a criterion")


def _composed(criterion: FunctionType, background: Any) -> Method:
    return Method(criterion=criterion, background=background)


def _described(method: Method, known: Mapping[str, Method] = METHODS) -> str:
    """What a method is called that nobody named: by its criterion, background and scope; one of another class as on the
    command line, if that has a method of the class, else by the class.
    """
    if type(method) is not Method:
        return described(method, known)
    criterion = method.criterion if isinstance(method.criterion, str) else method.criterion.__name__
    held = method.background if method.scale is None else f"scale-{decimal_text(method.scale)}"
    fading = [f"fade-{method.fade}"] if fades(method) else []
    words = [criterion.replace("_", "-"), held, *fading, *([] if method.scope == "global" else [method.scope])]
    return "-".join([*words, *([] if method.control == "none" else [method.control])])


def _named(name: str, method: object) -> tuple[str, Method]:
    if not isinstance(method, Method):
        raise ValueError(f"method {name!r} is {_shown(method)}: must be a bench.methods.Method")
    check_method(name, method, f"method {name!a}")
    return name, method


def _unique(pairs: Sequence[tuple[str, Method]]) -> dict[str, Method]:
    named: dict[str, Method] = {}
    for name, method in pairs:
        other = named.setdefault(name, method)
        if canonical_json(other.record()) != canonical_json(method.record()):
            raise ValueError(f"two methods are called {name!r}: must be given as a mapping of name -> method")
    return named


def rates_of(rates: Rates) -> list[Decimal]:
    """The rates of a text, a number, or several of these; a float stands for its shortest decimal text.

    >>> [str(rate) for rate in rates_of([0.9, "0.95:0.99"])]
    ['0.9', '0.95', '0.98', '0.99']
    """
    several = [rates] if isinstance(rates, str | Real | Decimal) else _listed("rates", rates, RATES_HELP)
    return parse_rates(",".join(map(_rate_text, several)))


def _rate_text(rate: object) -> str:
    if isinstance(rate, str):
        return rate
    if isinstance(rate, bool) or not isinstance(rate, Real | Decimal):
        raise ValueError(f"rate {_shown(rate)}: must be a number, or a text: {RATES_HELP}")
    text = str(rate)  # the shortest that reads back as this float, also of NumPy's types
    if isinstance(rate, Decimal | Integral) or "/" in text or len(text.strip("-0.").partition("e")[0]) <= DIGITS:
        return text
    raise ValueError(
        f"rate {text}: has more digits than a float that was written; did you mean {round(float(rate), 12)}?"
        f' All of them, as a text: "{text}"'
    )


def seeds_of(seeds: Seeds) -> list[int]:
    """The seeds of a text, a count, or several seeds.

    >>> seeds_of(3), seeds_of([7]), seeds_of(range(4, 6)), seeds_of("4:5")
    ([0, 1, 2], [7], [4, 5], [4, 5])
    """
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    if isinstance(seeds, Integral) and not isinstance(seeds, bool):
        return parse_seeds(str(seeds))
    several = _listed("seeds", seeds, SEEDS_HELP)
    for seed in several:
        if isinstance(seed, bool) or not isinstance(seed, Integral):
            raise ValueError(f"seed {_shown(seed)}: must be a whole number")
    return parse_seeds(",".join(f"{seed}" for seed in several) + ",")


def _listed(noun: str, values: object, help: str) -> list[Any]:
    if not isinstance(values, Iterable) or not (listed := list(values)):
        raise ValueError(f"{noun} {_shown(values)}: must be {help}; or several of these")
    return listed


def protocol_of(given: Mapping[str, Any], others: Iterable[str]) -> dict[str, Any]:
    """The fields of a trial that these say, the others at their defaults; `step` and `pack` may still be "auto".

    Args: others: what else the caller takes by name, for the nearest match of an unknown name.
    """
    rows = {name: row for name, row in ROWS.items() if row.flag}
    for name in given:
        if name not in rows:
            raise ValueError(nearest("argument", name, sorted([*rows, *others])))
    values = {name: _value(name, value, rows[name]) for name, value in given.items() if value is not None}
    return with_defaults(values)


def _value(name: str, value: object, row: FieldRow) -> Any:
    """The value as the field holds it: numbers of NumPy as Python's, a list as a tuple."""
    if row.read is not None:
        return _numbers(name, row.read(value) if isinstance(value, str) else value)
    accepted, kept, words = KINDS[type(row.default)]
    if not isinstance(value, accepted) or isinstance(value, bool) != (kept is bool):
        raise ValueError(f"{name} {_shown(value)}: must be {words}")
    return kept(value)


def _numbers(name: str, values: object) -> tuple[float, ...]:
    listed: list[Any] = list(values) if isinstance(values, Iterable) else []
    if not listed or not all(isinstance(value, Real) for value in listed):
        raise ValueError(f"{name} {_shown(values)}: must be numbers")
    return tuple(float(value) for value in listed)


def _shown(value: object) -> str:
    """A value in a message of one line."""
    name = getattr(value, "__name__", None)
    return str(name) if isinstance(name, str) else shortened(" ".join(repr(value).split()), 60)
