"""The report of wyoming-bench is read by mode."""

import pytest

from bench.suites.wyoming_bench import figures

pytestmark = pytest.mark.unit

REPORT = """
[non_streaming] ok=22 fail=1
  Total (ms)  900.0  1200.5  1100.0  2000.0  2400.0   (mean=7.23s input)
  Accuracy    WER=3.0%  CER=1.0%  SAR=52.2%
              edits S=10 I=1 D=2  (ref words=443)

[streaming] ok=23 fail=0
  Total (ms)  800.0  1000.0  1100.0  2000.0  2400.0   (mean=7.23s input)
  Accuracy    WER=2.0%  CER=1.0%  SAR=60.0%
              edits S=7 I=1 D=1  (ref words=443)

Summary (lower is better)
[other] ok=1 fail=0
"""


def test_figures_by_mode() -> None:
    modes = figures(REPORT)
    assert [*modes] == ["non_streaming", "streaming"]
    assert modes["non_streaming"] == {
        "clips": 22,
        "failed": 1,
        "wer_percent": 3.0,
        "whole_clips_right_percent": 52.2,
        "substituted": 10,
        "inserted": 1,
        "deleted": 2,
        "words": 443,
        "mean_total_ms": 1200.5,
        "mean_clip_s": 7.23,
    }
