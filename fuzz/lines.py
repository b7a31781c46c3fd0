"""Which lines of its modules a corpus reaches: ``python -m fuzz.lines NAME CORPUS``.

Prints JSON. Runs without atheris, on coverage.py.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import coverage

from fuzz.target import inputs, load, modules_of


def main() -> None:
    """Replay a corpus and count."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    modules = modules_of(name)
    watch = coverage.Coverage(
        data_file=None, branch=True, source_pkgs=modules, config_file="pyproject.toml"
    )
    with watch.collect():
        target = load(name)
        for data in [*inputs(name, target), *(path.read_bytes() for path in corpus.glob("*"))]:
            target.run(data)
    print(json.dumps(_report(watch)))


def _report(watch: coverage.Coverage) -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()):
        lines, missing = 0, {}
        for path in watch.get_data().measured_files():
            _, statements, _, missed, _ = watch.analysis2(path)
            lines += len(statements)
            if missed:
                missing[Path(path).name] = missed
    left_out = sum(map(len, missing.values()))
    return {"lines": lines, "reached": lines - left_out, "missed": missing}


if __name__ == "__main__":
    main()
