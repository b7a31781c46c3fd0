"""README's figures are those of ``docs/benchmarks``.

After a new measurement, the message of a failed test has the text that README must contain.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auricle.values.types import DEFAULT_BEAM_SIZE

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def delays(compare: Any) -> str:
    one, many = (compare["live"][number]["figures"]["this"] for number in ("1", "24"))
    return (
        f"Final text **{one['final_50_s']:.1f} s** after the end of speech "
        f"(p95 {one['final_95_s']:.1f} s); 24 speakers on two cores "
        f"{many['final_50_s']:.1f} s ({many['final_95_s']:.1f} s)"
    )


def words_lost(chaos: Any) -> str:
    run = chaos["scenarios"]["workers"]
    assert run["streams_with_other_words"] == run["not_once_and_in_order"] == 0
    faults = f"recognisers were killed or stopped {len(run['faults'])} times"
    return f"**No word lost**, of {run['words']}, while {faults}"


def word_errors(models: Any) -> str:
    [base] = [each for each in models["kinds"]["read"] if each["model"] == "whisper-base"]
    return f"**{base['percent']:.1f} %** word errors in read English with Whisper base"


def seconds_of_a_core(files: Any) -> str:
    assert 290 < files["audio_s"] < 320
    beam = files["beams"][f"beam {DEFAULT_BEAM_SIZE}"]
    return f"in **{beam['ours']['cpu_s']:.0f} s** of one core"


def start(fresh: Any) -> str:
    command = f"`{fresh['command']}` in a clone on a fresh Debian"
    return f"{command} is ready after **{fresh['ready_s']:.0f} s**"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compare", delays),
        ("live_chaos", words_lost),
        ("models", word_errors),
        ("files_5min", seconds_of_a_core),
        ("fresh", start),
    ],
)
def test_a_figure_is_that_of_its_measurement(name: str, text: Callable[[Any], str]) -> None:
    expected = text(json.loads((ROOT / f"docs/benchmarks/{name}.json").read_text("utf-8")))
    [row] = [line for line in README.splitlines() if f"(docs/benchmarks/{name}.json)" in line]
    assert expected in row


def test_the_first_screen_has_what_a_reader_chooses_by() -> None:
    first = README.partition("\n## ")[0]
    assert "![" in first
    assert first.count("```sh\n") == 1
    assert first.count("(docs/benchmarks/") == 5
    assert "**Choose another server**" in first
    assert len(first.splitlines()) < 30
