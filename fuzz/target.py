"""What a target is, and where all of them are. Imports nothing of what is fuzzed.

The module of a target has two constants: ``TARGET``, and ``MODULES``, the names of the modules
whose lines it is to reach.
"""

import ast
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
CASES = ROOT / "fuzz/cases"
"""Inputs that once broke something, a folder for each target."""

Blind = Callable[[bytes], bytes]
"""The fuzzer's own mutations, which know no format."""

Mutate = Callable[[bytes, Random, Blind], bytes]
"""A mutation that keeps a format's shape: the input, a source of chance, and the fuzzer's own."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that takes any bytes, and what is known about good ones.

    Attributes:
        run: Feeds it; raises what is not documented, and ``AssertionError`` for a promise that
            is broken.
        seeds: Inputs to begin with, good and bad.
        mutate: Keeps the format's shape most of the time; ``None``: the fuzzer's own will do.
        words: What stands in the format: names, signatures.
        max_bytes: No input is longer.
        loop_bytes: Size at which inputs are also tried (:mod:`fuzz.grown`) if the event loop reads
            them: of one message, or less if an input is many steps or also a transcript; 0 if
            other processes or threads read it.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutate: Mutate | None = None
    words: tuple[bytes, ...] = ()
    max_bytes: int = 1000
    loop_bytes: int = 0


FOLDERS = {"fuzz/targets": "[!_]*.py", "tests/apis": "*/fuzz_*.py"}
"""Where the modules of targets are; those of an API are with its tests."""


def _find_targets() -> dict[str, Path]:
    paths = [path for folder, names in FOLDERS.items() for path in (ROOT / folder).glob(names)]
    named = {path.stem.removeprefix("fuzz_"): path for path in paths}
    assert len(named) == len(paths), "two targets have one name"
    return dict(sorted(named.items()))


TARGETS = _find_targets()
"""The module of each target, by its name: the module's, without ``fuzz_``."""


def modules_of(name: str) -> tuple[str, ...]:
    """Return the modules whose lines a target is to reach: ``MODULES`` in its module.

    That is read from the source, since they must not be imported yet.

    Raises:
        LookupError: The module states none.
    """
    for node in ast.parse(TARGETS[name].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULES":
            modules: tuple[str, ...] = ast.literal_eval(node.value)
            return modules
    raise LookupError(f"{TARGETS[name]} has no MODULES")


def load(name: str) -> Target:
    """Return a target."""
    module = ".".join(TARGETS[name].relative_to(ROOT).with_suffix("").parts)
    target: Target = importlib.import_module(module).TARGET
    return target


def inputs(name: str, target: Target) -> list[bytes]:
    """Return a target's seeds, and all that once broke it."""
    cases = sorted((CASES / name).glob("*"))
    return [*target.seeds(), *(case.read_bytes() for case in cases)]


def is_inside(module: str, names: Iterable[str]) -> bool:
    """Return whether a module is one of these, or inside a package that is one of these."""
    return any(module == name or module.startswith(f"{name}.") for name in names)
