"""What ``auricle bench --save`` measured: read by ``auricle serve`` on the same machine.

The file ``capacity.json`` in the cache directory has one entry per model and number of workers. An
entry applies only to the machine, model and workers that it was measured with.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from auricle.system.atomic_file import replacing
from auricle.values.errors import SetupError

FILE = "capacity.json"
MAX_ENTRIES = 100
MAX_FILE_BYTES = 1_000_000
"""A larger file is not ours."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a capacity depends on."""

    processor: str
    cores: int
    engine: str
    model: str
    revision: str
    device: str
    compute_type: str
    workers: int
    worker_threads: int


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement.

    Attributes:
        of: What was measured.
        live_sessions: Live streams with partials that were held.
        file_speed: Seconds of a recording that were transcribed in a second.
        yardstick_speed: Speed of faster-whisper on one core in the same run; 0: not measured.
        version: Auricle's version.
        measured_at: Wall-clock time in seconds since 1970.
    """

    of: Measured
    live_sessions: int
    file_speed: float
    yardstick_speed: float
    version: str
    measured_at: float


def read_capacities(cache_dir: Path) -> tuple[Capacity, ...]:
    """Return all measurements; none if there is no file, or it is damaged."""
    try:
        with (cache_dir / FILE).open("rb") as file:
            content = file.read(MAX_FILE_BYTES)
        return msgspec.json.decode(content, type=tuple[Capacity, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def save_capacity(cache_dir: Path, capacity: Capacity) -> Path:
    """Store a measurement in place of an earlier one of the same; return the file.

    Raises:
        SetupError: The file can't be written.
    """
    others = [each for each in read_capacities(cache_dir) if each.of != capacity.of]
    target = cache_dir / FILE
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            entries = (*others[-MAX_ENTRIES + 1 :], capacity)
            file.write(msgspec.json.format(msgspec.json.encode(entries), indent=1) + b"\n")
    except OSError as exc:
        raise SetupError(f"{target} can't be written: {exc.strerror or exc}.") from exc
    return target


def find_capacity(saved: Sequence[Capacity], of: Measured) -> tuple[Capacity | None, str]:
    """Return the measurement of this machine, model and workers, or why the others do not apply.

    Args:
        saved: All measurements.
        of: What is about to run.
    """
    for each in saved:
        if each.of == of:
            return each, ""
    alike = [each for each in saved if (each.of.engine, each.of.model) == (of.engine, of.model)]
    if not alike:
        return None, "it has no measurement of this model" if saved else ""
    return None, f"measured with {_differences(alike[-1].of, of)}"


def _differences(measured: Measured, of: Measured) -> str:
    names = [name for name in Measured.__struct_fields__ if name not in ("engine", "model")]
    pairs = ((name, getattr(measured, name), getattr(of, name)) for name in names)
    return ", ".join(f"{name} {a} instead of {b}" for name, a, b in pairs if a != b)
