"""What the value of an expression of a source file depends on besides that file."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field

from bench.methods.identity.syntax import Binding, Definition, Function, Syntax, bound_by, changed, root

# An expression follows from the source if it mentions nothing but literals, what the source defines, and these.
PURE_BUILTINS = frozenset(vars(builtins)) - {
    "open", "input", "__import__", "id", "hash", "globals", "locals", "vars", "dir", "eval", "exec", "compile", "next",
}  # fmt: skip
PURE_BUILTINS |= {"__file__", "__name__", "__doc__"}
PURE_MODULES = frozenset({
    "__future__", "abc", "argparse", "bench", "cmath", "collections", "contextlib", "copy", "dataclasses", "decimal",
    "enum", "fractions", "functools", "itertools", "json", "logging", "math", "numbers", "numpy", "operator",
    "pathlib", "re", "scipy", "statistics", "string", "threading", "torch", "types", "typing", "typing_extensions",
})  # fmt: skip
IMPURE_ATTRIBUTES = frozenset({  # of the modules above: random numbers, files, the machine
    "random", "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "rand_like", "randn_like",
    "randint_like", "default_rng", "load", "loadtxt", "genfromtxt", "fromfile", "from_file", "memmap", "initial_seed",
    "seed", "cuda", "get_num_threads", "get_rng_state", "hub", "parse_args", "parse_known_args", "cwd", "home",
    "exists", "is_file", "is_dir", "read_text", "read_bytes", "glob", "rglob", "iterdir", "stat", "expanduser",
})  # fmt: skip
PURE_NAMES = frozenset({  # of other modules, or in spite of the above: what a machine has changes no mask
    "os.cpu_count", "os.path.abspath", "os.path.basename", "os.path.dirname", "os.path.join", "os.path.realpath",
    "os.path.split", "os.path.splitext", "os.sep", "sys.platform", "sys.version_info", "torch.cuda.device_count",
    "torch.cuda.is_available",
})  # fmt: skip
VOLATILE = (
    "time", "datetime.datetime.now", "datetime.datetime.today", "datetime.date.today", "uuid", "tempfile", "secrets",
    "os.getpid", "the order of a set",
)  # fmt: skip  # another value in every process
ORDERED = ("tuple", "list", "enumerate", "zip", "join")  # calls that keep the order of what they are given


@dataclass
class Dependencies:
    """What an expression depends on."""

    outside: set[str] = field(default_factory=set)  # names that are not of the file, or not pure
    assigned: set[str] = field(default_factory=set)  # the file's own names that have one value, from an expression

    @property
    def volatile(self) -> str:
        """A module among them that gives every process another value; "" if there is none."""
        return next((v for v in VOLATILE for name in self.outside if f"{name}.".startswith(f"{v}.")), "")


def dependencies(syntax: Syntax, node: ast.AST, *, runs: bool = False) -> Dependencies:
    """What the value of an expression depends on, or what a definition does if it `runs`.

    A function is looked into if it is mentioned in a call; a partial calls none.
    """
    key = (id(node), runs)
    if key not in syntax.known:
        syntax.known[key] = _Walk(syntax).done(node, runs)
    known: Dependencies = syntax.known[key]
    return known


class _Walk:
    """The walk through all that an expression runs."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax, self.result = syntax, Dependencies()
        self.todo: list[tuple[ast.AST, bool]] = []

    def done(self, node: ast.AST, runs: bool) -> Dependencies:
        """Walk, without recursion: a chain of names may be long."""
        self.todo.append((node, runs))
        seen: set[tuple[int, bool]] = set()
        while self.todo:
            node, runs = self.todo.pop()
            if (id(node), runs) not in seen:
                seen.add((id(node), runs))
                self._node(node, runs)
        return self.result

    def _node(self, top: ast.AST, runs: bool) -> None:
        inner = list(ast.walk(top))
        local = {n.id for n in inner if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        local |= {n.arg for n in inner if isinstance(n, ast.arg)}
        functions = {n.name: n for n in inner if isinstance(n, Definition) and n is not top}
        todo = _body(top, runs)
        while todo:
            node, called = todo.pop()
            if _is_pure_name(_dotted(self.syntax, node)):
                continue
            todo += _children(node, called)
            if isinstance(node, ast.Name) and called and node.id in functions:  # it sees the variables of this one
                todo += _body(functions.pop(node.id), True)
            elif isinstance(node, ast.Name) and node.id not in local | functions.keys():
                self._name(node.id, called)
            self._other(node)
            if isinstance(top, Function):  # it does not only have a value if it changes a global
                self.result.outside |= {name for name in changed(node) if name in self.syntax.bindings} - local

    def _other(self, node: ast.AST) -> None:
        """Note what an import, or an attribute, is of."""
        rows = [binding for _, binding in bound_by(node) if binding.module]
        self.result.outside |= {_full(binding) for binding in rows if not pure_import(binding)}
        if isinstance(node, ast.Call) and _name_of(node.func) in ORDERED and any(map(_is_set, node.args)):
            self.result.outside.add("the order of a set")
        if isinstance(node, ast.Attribute):
            self.todo += [(method, True) for method in self.syntax.methods.get(node.attr, [])]
            of_module = _dotted(self.syntax, node)
            impure = bool(of_module) and not pure_import(self.syntax.bindings[root(node)][0])
            if impure or node.attr in IMPURE_ATTRIBUTES:
                self.result.outside.add(of_module or node.attr)

    def _name(self, name: str, runs: bool) -> None:
        bindings = self.syntax.bindings.get(name)
        if bindings is None:
            self.result.outside |= {name} - PURE_BUILTINS
        elif len(bindings) > 1 or bindings[0].node is None:
            self.result.outside.add(name)
        elif bindings[0].module:
            full = _full(bindings[0])
            if not pure_import(bindings[0]) or bindings[0].imported in IMPURE_ATTRIBUTES:
                self.result.outside |= {full} - PURE_NAMES
        elif runs or not isinstance(bindings[0].node, Function):
            self.todo.append((bindings[0].node, runs))
            self.result.assigned |= set() if isinstance(bindings[0].node, Definition) else {name}


def _is_pure_name(name: str) -> bool:
    return any(f"{name}.".startswith(f"{pure}.") for pure in PURE_NAMES)


def _body(top: ast.AST, runs: bool) -> list[tuple[ast.AST, bool]]:
    """What of a definition, or of an expression, is evaluated first."""
    if not isinstance(top, Definition):
        return [(top, runs)]
    called: list[ast.AST] = [*top.decorator_list]
    body: list[ast.AST] = [*_defaults(top)] if isinstance(top, Function) else [*top.bases, *top.keywords, *top.body]
    if runs and isinstance(top, Function):
        body += top.body
    elif runs and isinstance(top, ast.ClassDef):
        body += [
            n for method in top.body if isinstance(method, Function) and method.name[:2] == "__" for n in method.body
        ]
    return [*((n, True) for n in called), *((n, False) for n in body)]


def _children(node: ast.AST, runs: bool) -> list[tuple[ast.AST, bool]]:
    """What is evaluated of a node's children; the bodies of functions are not, and neither are annotations."""
    if isinstance(node, Definition):
        return _body(node, False)
    if isinstance(node, ast.Lambda):
        return [(n, False) for n in (*_defaults(node), *([node.body] if runs else []))]
    if isinstance(node, ast.AnnAssign):
        return [(node.value, runs)] if node.value else []
    if isinstance(node, ast.Call) and _name_of(node.func) == "partial":
        return [(n, runs) for n in (*node.args, *node.keywords)]
    return [(n, runs or isinstance(node, ast.Call)) for n in ast.iter_child_nodes(node)]


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.expr]:
    return [n for n in (*node.args.defaults, *node.args.kw_defaults) if n is not None]


def _name_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_set(node: ast.AST) -> bool:
    called = _name_of(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Set | ast.SetComp) or called in ("set", "frozenset")


def pure_import(binding: Binding) -> bool:
    """Whether an import is of a module whose values are the same everywhere."""
    return binding.module.partition(".")[0] in PURE_MODULES


def _full(binding: Binding) -> str:
    return f"{binding.module}.{binding.imported}" if binding.imported else binding.module


def _dotted(syntax: Syntax, node: ast.AST) -> str:
    """The full name of what is read of a module, as os.path.join; "" for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    rows = syntax.bindings.get(node.id, []) if isinstance(node, ast.Name) else []
    if not isinstance(node, ast.Name) or len(rows) != 1 or not rows[0].module:
        return ""
    binding, top = rows[0], rows[0].module.partition(".")[0]
    first = top if not binding.imported and node.id == top else binding.module  # import os.path gives os
    return ".".join([first, *([binding.imported] if binding.imported else []), *names])
