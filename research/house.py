"""How large the core is, and what knows an optional part.

    python -m research.house [SRC]
    python -m research.house --budget    sizes and those of the last release
    python -m research.house --release   keep these sizes as those of a release

Counts code lines, without blank lines, comments and docstrings: of the whole package, of what the
process of ``auricle serve`` can import with every optional folder, and of the same without any.
For each optional API, it lists the folders of the repository in which its name stands; that of
``readers`` and other words of the language says little.
``SRC`` is another version's ``src``. Imports inside functions count as well.
"""

import ast
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
RELEASED = ROOT / "docs/benchmarks/budget.json"
CORE: dict[str, set[str]] = {
    "apis": {"native", "openai"},
    "engines": {"whisper", "pull"},
    "files": set(),
    "ledger/audio": set(),
    "ledger/databases": set(),
    "text/filters": set(),
    "text/formats": set(),
    "workers/kinds": {"asr", "decode"},
}
"""Folders of parts, each with those of its folders that belong to the core."""
OPTIONAL_ROOMS = {"cluster", "mcp", "multi_model", "vocabularies", "voices", "webhooks"}
START = "auricle.cli.serve.start"
NOT_COUNTED = (
    *("CHANGELOG.md", "docs/decisions", "docs/benchmarks", "requirements*", "*lock*"),
    "src/*/common_words.txt",
)
"""What happened, and lists that programs write."""


@dataclass(frozen=True)
class House:
    """One version of the package.

    Attributes:
        source: The directory of the package.
        graph: Its imports.
    """

    source: Path
    graph: grimp.ImportGraph

    @classmethod
    def of(cls, src: Path = ROOT / "src") -> "House":
        """Read the package in a directory that is on the search path."""
        return cls(
            src / "auricle",
            grimp.build_graph("auricle", exclude_type_checking_imports=True, cache_dir=None),
        )

    @property
    def optional(self) -> tuple[str, ...]:
        """Paths of the folders that can be deleted, relative to the package."""
        parts = [
            f"{room}/{folder.name}"
            for room, core in CORE.items()
            for folder in sorted((self.source / room).iterdir())
            if (folder / "__init__.py").exists() and folder.name not in core
        ]
        return (*parts, *sorted(OPTIONAL_ROOMS))

    def modules_in(self, folder: str) -> frozenset[str]:
        """Return the modules in a folder."""
        name = f"auricle.{folder.replace('/', '.')}"
        return frozenset(
            each for each in self.graph.modules if each == name or each.startswith(f"{name}.")
        )

    def imports_of(self, folder: str) -> list[str]:
        """Return who imports a folder from outside of it, as ``importer -> imported``."""
        inside = self.modules_in(folder)
        return sorted(
            f"{importer} -> {module}"
            for module in inside
            for importer in self.graph.find_modules_that_directly_import(module) - inside
        )

    def places_of(self, api: str) -> list[str]:
        """Return the folders of the repository in which the name of an API stands.

        What is below its folders in ``src`` and ``tests`` counts as one.
        """
        root, pattern = self.source.parents[1], api.replace("_", "[-_ ]?")
        command = [
            "git",
            "grep",
            "-ilE",
            pattern,
            "--",
            ".",
            *(f":!{each}" for each in NOT_COUNTED),
        ]
        files = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True)
        own = (f"src/auricle/apis/{api}", f"tests/apis/{api}")
        return sorted(
            {
                next((each for each in own if file.startswith(f"{each}/")), str(Path(file).parent))
                for file in files.stdout.splitlines()
            }
        )

    def served(self, *, with_optional: bool) -> frozenset[str]:
        """Return the modules that the process of ``auricle serve`` can import.

        A part is found by a module of its folder, which counts as imported.
        """
        optional = {module for folder in self.optional for module in self.modules_in(folder)}
        without = frozenset() if with_optional else optional
        found_by = (".spec", ".part", ".http_api", ".local_models")
        specs = {module for module in self.graph.modules if module.endswith(found_by)}
        waiting, reached = {START} | specs - without, set[str]()
        while waiting:
            module = waiting.pop()
            reached.add(module)
            waiting |= self.graph.find_modules_directly_imported_by(module) - reached - without
        return frozenset(reached)

    def lines(self, modules: frozenset[str]) -> int:
        """Return the number of code lines of modules."""
        return sum(code_lines(self.path_of(module)) for module in modules)

    def path_of(self, module: str) -> Path:
        """Return the file of a module."""
        path = self.source.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def code_lines(path: Path) -> int:
    """Return the number of lines with code: no blank lines, comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    documented = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    ignored = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        tokenize.ENDMARKER,
    }
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in ignored
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - documented)


def budget(house: House) -> dict[str, int]:
    """Return the sizes that a change may make larger only with a reason in its commit."""
    modules = frozenset(house.graph.modules)
    tests = list((ROOT / "tests").rglob("*.py"))
    return {
        "modules": len(modules),
        "lines": house.lines(modules),
        "core_lines": house.lines(house.served(with_optional=False)),
        "tests_lines": sum(map(code_lines, tests)),
        "decisions": len(list((ROOT / "docs/decisions").glob("[0-9]*.md"))),
        "longest_test_lines": max(len(path.read_text("utf-8").splitlines()) for path in tests),
    }


def print_budget(now: Mapping[str, int], released: Mapping[str, int]) -> None:
    """Print sizes, each with its difference to that of the last release."""
    for name, value in now.items():
        more = value - released.get(name, value)
        trend = f"{abs(more):,} {'more' if more > 0 else 'less'}" if more else "as before"
        print(f"budget: {value:,} {name.replace('_', ' ')} ({trend})")


def main(arguments: list[str]) -> None:
    """Print the figures of one version."""
    if arguments in (["--budget"], ["--release"]):
        sys.path.insert(0, str(ROOT / "src"))
        figures = budget(House.of())
        if arguments == ["--release"]:
            RELEASED.write_text(json.dumps(figures, indent=1) + "\n")
        print_budget(figures, json.loads(RELEASED.read_text()))
        return
    src = Path(arguments[0]).resolve() if arguments else ROOT / "src"
    sys.path.insert(0, str(src))
    house = House.of(src)
    modules = frozenset(house.graph.modules)
    served, core = house.served(with_optional=True), house.served(with_optional=False)
    about_speakers = [
        path
        for path in sorted(house.source.rglob("*.py"))
        if "speaker" in path.read_text(encoding="utf-8").lower()
    ]
    print(f"code lines: {house.lines(modules)} in all, in {len(modules)} modules")
    print(f"auricle serve: {house.lines(served)} with every optional folder, {len(served)} modules")
    print(f"auricle serve: {house.lines(core)} without any, {len(core)} modules")
    folders = {path.parent for path in about_speakers}
    print(f"'speaker': in {len(about_speakers)} modules of {len(folders)} folders")
    for folder in house.optional:
        lines = house.lines(house.modules_in(folder))
        print(f"{folder}: {lines} code lines; imported by {house.imports_of(folder) or 'nothing'}")
    for api in (folder.removeprefix("apis/") for folder in house.optional if "apis/" in folder):
        places = house.places_of(api)
        print(f"{api}: named in {len(places)} folders: {' '.join(places)}")


if __name__ == "__main__":
    main(sys.argv[1:])
