"""Subtitles: exact output, and text that could break the formats."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.formats.base import SubtitleLimits
from auricle.text.formats.registry import format_of
from auricle.text.formats.subtitles.formats import cues
from auricle.text.formats.subtitles.layout import Cue
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Word

pytestmark = pytest.mark.unit

to_srt, to_vtt = format_of("srt").document, format_of("vtt").document


def segment(start_s: float, end_s: float, text: str) -> Segment:
    return Segment(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ), text)


TWO = [segment(0, 1.5, " Good morning."), segment(3723.25, 3725.007, "It is late.")]


def test_srt_is_numbered_and_has_commas() -> None:
    assert to_srt(TWO) == (
        "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n"
        "\n"
        "2\n01:02:03,250 --> 01:02:05,007\nIt is late.\n"
    )


def test_vtt_has_a_header_and_points() -> None:
    assert to_vtt(TWO) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.000 --> 00:00:01.500\nGood morning.\n"
        "\n"
        "01:02:03.250 --> 01:02:05.007\nIt is late.\n"
    )


def test_silence_gives_an_empty_srt_and_a_vtt_of_a_header() -> None:
    assert to_srt([]) == ""
    assert to_vtt([]) == "WEBVTT\n"
    assert to_srt([segment(0, 1, "  \n ")]) == ""


def test_a_gap_is_a_cue_as_long_as_it_is() -> None:
    gap = Gap(2 * SAMPLE_RATE_HZ, 33 * SAMPLE_RATE_HZ, "unreachable")
    shown = list(cues(TWO, [gap]))
    assert [cue.text for cue in shown] == [
        "Good morning.",
        "[31.0 s missing: server unreachable]",
        "It is late.",
    ]
    assert (shown[1].start_ms, shown[1].end_ms) == (2000, 33_000)
    assert "[31.0 s missing" in to_srt(TWO, [gap])
    assert "[31.0 s missing" in to_vtt(TWO, [gap])


DIALOGUE = [
    replace(segment(0, 1.5, "Good morning."), speaker=0),
    replace(segment(1.5, 3, "To you too."), speaker=1),
    replace(segment(3, 4.5, "It is late."), speaker=1),
    replace(segment(4.5, 6, "Who is there?"), speaker=None),
]
SPEAKERS = (Speaker(0), Speaker(1, "Ann <& Co>"))


def test_vtt_also_names_the_speaker_of_each_cue_in_a_voice_span_and_escapes_the_name() -> None:
    assert to_vtt(DIALOGUE, speakers=SPEAKERS).splitlines()[3::3] == [
        "<v Speaker 1>Speaker 1: Good morning.",
        "<v Ann &lt;&amp; Co&gt;>Ann &lt;&amp; Co&gt;: To you too.",
        "<v Ann &lt;&amp; Co&gt;>It is late.",
        "Who is there?",
    ]


def test_a_speaker_is_named_where_the_speaker_changes() -> None:
    assert to_srt(DIALOGUE, speakers=SPEAKERS).splitlines()[2::4] == [
        "Speaker 1: Good morning.",
        "Ann <& Co>: To you too.",
        "It is late.",
        "Who is there?",
    ]


@pytest.mark.parametrize(("write", "voice"), [(to_srt, ""), (to_vtt, "<v Speaker 1>")])
def test_a_speaker_who_continues_is_named_again_after_half_a_minute(
    write: Callable[..., str], voice: str
) -> None:
    talk = [replace(segment(at, at + 1, "Yes."), speaker=0) for at in (0.4, 20, 30.4, 50)]
    lines = [line for line in write(talk, speakers=SPEAKERS).splitlines() if "Yes" in line]
    texts = ["Speaker 1: Yes.", "Yes.", "Speaker 1: Yes.", "Yes."]
    assert lines == [f"{voice}{text}" for text in texts]


def test_the_name_of_a_speaker_keeps_the_limits_of_a_line() -> None:
    limits = SubtitleLimits(max_line_width=20, max_lines=1)
    words = tuple(Word(n * 8000, n * 8000 + 8000, " word", 1.0) for n in range(4))
    long = Segment(0, 32_000, " word word word word", words, speaker=0)
    lines = [line for line in to_srt([long], (), limits, SPEAKERS).splitlines() if "word" in line]
    assert lines == ["Speaker 1: word word", "word word"]


def test_speakers_without_a_pause_are_not_in_one_cue() -> None:
    close = [replace(segment(n, n + 1, "Yes."), speaker=n % 2) for n in range(4)]
    assert [cue.speaker for cue in cues(close, speakers=SPEAKERS)] == [
        *("Speaker 1", "Ann <& Co>", "Speaker 1", "Ann <& Co>"),
    ]


def test_hours_may_have_three_digits() -> None:
    assert "100:00:00,000 --> 100:00:01,000" in to_srt([segment(360_000, 360_001, "Still here.")])


@pytest.mark.parametrize(
    ("samples", "shown"), [(7, "000"), (8, "001"), (23, "001"), (24, "002"), (15_999, "000")]
)
def test_times_are_rounded_to_the_nearest_millisecond(samples: int, shown: str) -> None:
    [cue] = cues([Segment(samples, samples + SAMPLE_RATE_HZ, "x")])
    assert f"{cue.start_ms % 1000:03}" == shown


def test_a_blank_line_would_end_the_cue_and_is_dropped() -> None:
    assert [c.text for c in cues([segment(0, 1, "one\n\n  \r\ntwo\n")])] == ["one two"]


def test_vtt_escapes_markup() -> None:
    text = to_vtt([segment(0, 1, "<b>R&D</b> --> now")])
    assert "&lt;b&gt;R&amp;D&lt;/b&gt; --&gt; now\n" in text


@pytest.mark.parametrize("arrow", ["-->", "--->", "------>"])
def test_srt_has_no_escapes_so_an_arrow_is_made_harmless(arrow: str) -> None:
    text = to_srt([segment(0, 1, f"a {arrow} b & <c>")])
    assert text.count("-->") == 1
    assert text.endswith("a -> b & <c>\n")


def test_a_cue_may_end_after_the_next_sentence_has_begun_which_is_then_late() -> None:
    found = list(cues([segment(0, 2, "One is."), segment(1.5, 3, "Two are.")]))
    assert found == [Cue(0, 2000, "One is."), Cue(2000, 3000, "Two are.")]


def test_words_show_where_a_pause_is_and_other_text_is_kept_whole() -> None:
    words = (Word(0, 8_000, " One", 0.9), Word(40_000, 48_000, " two", 0.9))
    pause = [Segment(0, 48_000, "One two", words), Segment(0, 48_000, "Three", words)]
    assert [each.text for each in cues(pause[:1])] == ["One", "two"]
    assert [each.text for each in cues(pause[1:])] == ["Three"]


def test_segments_out_of_order_are_put_in_order() -> None:
    found = list(cues([segment(2, 3, "two"), segment(0, 1, "one")]))
    assert [cue.text for cue in found] == ["one", "two"]


def test_segments_are_in_order_of_their_first_words() -> None:
    later = Segment(0, 48_000, "two", (Word(40_000, 48_000, " two", 0.9),))
    found = list(cues([later, segment(1, 1.5, "one")]))
    assert [cue.text for cue in found] == ["one", "two"]


SEGMENTS = st.lists(
    st.builds(
        Segment,
        st.integers(-100, 10**9),
        st.integers(-100, 10**9),
        st.text(st.sampled_from("ab-><& \n\r\u2028\x0b&;"), max_size=12),
    ),
    max_size=8,
)
TIMES = re.compile(r"^\d{2,}:\d\d:\d\d([.,])\d{3} --> \d{2,}:\d\d:\d\d\1\d{3}$")


@given(SEGMENTS)
def test_cues_never_overlap_and_never_are_empty(segments: list[Segment]) -> None:
    found = list(cues(segments))
    assert all(0 <= cue.start_ms < cue.end_ms and cue.text.strip() for cue in found)
    assert all(a.end_ms <= b.start_ms for a, b in zip(found, found[1:], strict=False))


@given(SEGMENTS)
def test_no_text_can_break_the_blocks_of_either_format(segments: list[Segment]) -> None:
    expected = len(list(cues(segments)))
    srt = [block for block in to_srt(segments).split("\n\n") if block]
    header, *vtt = to_vtt(segments).split("\n\n")
    assert header.strip() == "WEBVTT"
    assert len(srt) == len(vtt) == expected
    for number, block in enumerate(srt, start=1):
        first, times, *text = block.rstrip("\n").split("\n")
        assert first == str(number)
        assert TIMES.match(times)
        assert all(line.strip() for line in text)
        assert "-->" not in "\n".join(text)
    for block in vtt:
        times, *text = block.rstrip("\n").split("\n")
        assert TIMES.match(times)
        assert "-->" not in "\n".join(text)
        assert "<" not in "\n".join(text)
