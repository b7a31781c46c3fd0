"""The output of ``auricle bench``."""

import json
import math
from dataclasses import replace

import msgspec
import pytest

from auricle.cli.bench.report import TABLE_HEAD, BenchResult, advice, conclusion, heading, row
from auricle.cli.bench.score import LevelResult
from auricle.cli.bench.yardstick import Yardstick
from auricle.config.capacity import Measured
from auricle.config.settings import Settings

pytestmark = pytest.mark.unit

HELD = LevelResult(30, True, 90, 0.91, 1.84, 0.2, 1.7, 0.1, 0.004)
LATE = replace(HELD, streams=45, p50_s=2.1, p95_s=math.inf)
WITHOUT = replace(HELD, has_partials=False, partials_per_s=0.0)
OF = Measured(
    processor="EPYC",
    cores=2,
    engine="Whisper",
    model="whisper-base",
    revision="abc",
    device="cpu",
    compute_type="default",
    workers=2,
    worker_threads=1,
)


@pytest.fixture
def result() -> BenchResult:
    return BenchResult(
        "1.2.3",
        1_800_000_000.0,
        OF,
        False,
        Yardstick(5.0),
        40.0,
        240.72,
        [HELD, LATE, WITHOUT],
        30,
        33,
    )


def test_the_heading(result: BenchResult) -> None:
    assert heading(result) == [
        "machine      EPYC, 2 cores",
        "model        whisper-base (Whisper, default, cpu), 2 workers of 1 thread",
        "yardstick    5.0 x real time on one core: faster-whisper, Whisper base",
        "recording    40.0 x real time (241 s); 4.0 x the yardstick",
    ]


def test_without_the_yardstick_there_are_no_multiples(result: BenchResult) -> None:
    result.yardstick = Yardstick(0.0, "Whisper base is not on this machine")
    assert heading(result)[2:] == [
        "yardstick    not measured: Whisper base is not on this machine",
        "recording    40.0 x real time (241 s)",
    ]
    assert "yardstick" not in conclusion(result)[0]
    assert result.document()["per_yardstick"] is None


def test_the_rows_are_as_wide_as_their_head() -> None:
    rows = [row(HELD), row(LATE), row(WITHOUT)]
    assert rows[0] == "            30      yes     0.91 s  1.84 s       0.20    1.7"
    assert rows[1] == "            45      yes     2.10 s   never       0.20    1.7  late"
    refused = row(replace(LATE, refused=3))
    assert refused == "            45      yes     2.10 s   never       0.20    1.7  3 refused"
    assert rows[2] == "            30       no     0.91 s  1.84 s               1.7"
    assert {len(line.removesuffix("  late")) for line in rows} == {len(TABLE_HEAD)}


def test_the_conclusion(result: BenchResult) -> None:
    assert conclusion(result) == [
        "This machine holds 30 live streams with partials (3.0 per core and yardstick): 95 % of "
        "finals arrive within 2 s after the end of speech.",
        "Without partials it holds 33.",
    ]


def test_a_machine_that_holds_none(result: BenchResult) -> None:
    result.streams, result.streams_without, result.levels = 0, None, [LATE]
    (line,) = conclusion(result)
    assert line.startswith("This machine does not hold 45 live streams with partials.")


def test_it_says_what_spoils_the_figures(result: BenchResult) -> None:
    result.levels.append(replace(HELD, other_cores=0.5, late_p99_s=0.3))
    result.is_quick = True
    assert [line.split(":")[0] for line in conclusion(result)[2:]] == [
        "Other programs used the machine",
        "The bench got too little CPU time to play in real time",
        "A quick run is coarse; run `auricle bench` without --quick for planning.",
    ]


def test_the_document(result: BenchResult) -> None:
    document = json.loads(json.dumps(result.document(), allow_nan=False))
    assert document["measured_at"] == "2027-01-15T08:00:00Z"
    assert document["of"] == msgspec.structs.asdict(OF)
    assert document["live_streams"] == {"with_partials": 30, "without": 33}
    assert document["per_yardstick"] == {"file_speed": 4.0, "live_streams": 3.0}
    assert [level["p95_s"] for level in document["levels"]] == [1.84, None, 1.84]
    assert [level["is_held"] for level in document["levels"]] == [True, False, True]


def test_the_advice_is_to_save_the_number(result: BenchResult) -> None:
    settings = Settings.load()
    (line,) = advice(result, settings, None)
    assert line == "`auricle bench --save` lets a new server begin with this number."
    result.streams = 0
    assert advice(result, settings, None) == ["Choose a smaller model, or a faster machine."]


def test_after_saving_it_names_the_setting_that_is_too_low(result: BenchResult) -> None:
    (line,) = advice(result, Settings.load(), "FILE")
    assert line.startswith("Saved in FILE: `auricle serve` begins with this number")
    limited = Settings.load({"max_sessions": 10})
    assert advice(result, limited, "FILE")[1:] == ["Raise AURICLE_MAX_SESSIONS, which is 10."]


def test_what_is_saved(result: BenchResult) -> None:
    capacity = result.capacity()
    assert (capacity.live_sessions, capacity.file_speed, capacity.yardstick_speed) == (30, 40, 5)
    assert capacity.of == OF
