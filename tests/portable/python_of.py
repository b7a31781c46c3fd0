"""What Python of another system lacks, compared with that of Linux.

typeshed, which mypy brings, states for each module and name of the standard library under which
``sys.platform`` it exists.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mypy

STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"


@dataclass(frozen=True)
class Lacking:
    """What a system lacks.

    Attributes:
        modules: Modules that cannot be imported.
        names: Names that other modules do not have, by module.
    """

    modules: frozenset[str]
    names: Mapping[str, frozenset[str]]


@cache
def lacking(platform: str) -> Lacking:
    """Return what Python of this version lacks on a system.

    Args:
        platform: A value of ``sys.platform``.
    """
    modules: set[str] = set()
    names: dict[str, frozenset[str]] = {}
    for module, stub in sorted(_stubs()):
        text = stub.read_text(encoding="utf-8")
        if "sys.platform" not in text:
            continue
        tree = ast.parse(text)
        here, there = frozenset(_names(tree.body, "linux")), frozenset(_names(tree.body, platform))
        if here and not there:
            modules.add(module)
        elif here - there:
            names[module] = here - there
    return Lacking(frozenset(modules), names)


def _stubs() -> Iterator[tuple[str, Path]]:
    for path in STUBS.glob("*.pyi"):
        yield path.stem, path
    for path in STUBS.glob("*/__init__.pyi"):
        yield path.parent.name, path


def _names(body: list[ast.stmt], platform: str) -> Iterator[str]:
    """Yield the public names that these statements define."""
    for node in body:
        match node:
            case ast.If():
                yield from _names(
                    node.body if _holds(node.test, platform) else node.orelse, platform
                )
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield from _public(node.name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield from _public(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield from _public(name)
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    if alias.asname == alias.name:  # exported again
                        yield from _public(alias.name)


def _public(name: str) -> Iterator[str]:
    if not name.startswith("_"):
        yield name


def _holds(test: ast.expr, platform: str) -> bool:
    code = compile(ast.Expression(test), "<stub>", "eval")
    return bool(eval(code, {"sys": _Sys(platform), "TYPE_CHECKING": True}))


class _Sys:
    """What conditions of stubs read of ``sys``."""

    version_info = sys.version_info

    def __init__(self, platform: str) -> None:
        self.platform = platform
