import wave
from pathlib import Path

import numpy as np
import pytest

from bench.lib.speech import AN4, READ, Clip
from bench.vocabulary import (
    Change,
    Recogniser,
    Score,
    changes_of_right_text,
    half_of,
    librispeech,
    rare_words,
    score,
    term_list,
)

pytestmark = pytest.mark.unit

PRESENT, ABSENT = {"Caslon", "Jenson", "missals"}, {"Zeebrugge", "Wapping", "Kaulbach"}


def clip(text: str, kind: str = READ, name: str = "LJ001-0001.flac") -> Clip:
    return Clip(name, kind, np.zeros(16, np.int16), text)


def test_terms_are_neither_common_words_nor_well_known_names() -> None:
    assert rare_words(["The printers of Germany, Jenson's and BBC, used Ulm's missals."]) == {
        *("Jenson", "missals")
    }


@pytest.mark.parametrize("length", [4, 10])
def test_a_list_is_chosen_by_its_seed_and_half_of_it_is_absent(length: int) -> None:
    terms = term_list(PRESENT, ABSENT, length, 1)
    assert terms == term_list(PRESENT, ABSENT, length, 1) != term_list(PRESENT, ABSENT, length, 2)
    assert len(terms) == length
    assert len(PRESENT & set(terms)) == min(3, length // 2)


def test_recordings_of_one_sentence_are_in_one_half() -> None:
    halves = {half_of(clip("", name=name)) for name in ("LJ001-0001.flac", "LJ001-0001")}
    assert len(halves) == 1
    assert len({half_of(clip("", name=str(at))) for at in range(20)}) == 2


def test_corrections_are_false_if_the_reference_lacks_their_term() -> None:
    said = clip("Caslon type and Jensons were clear")
    changes = [Change("Kesslin", "Caslon"), Change("type", "Taipei"), Change("clean", "Klein")]
    found = score(said, "Caslon Taipei and Jensen were Klein", changes, {"caslon", "jenson"})
    assert found == Score(
        terms=2,
        recalled=1,
        taken_for_others=1,
        corrections=3,
        false=2,
        right_changed=1,
        other_words=4,
        other_errors=2,
        word_errors=3,
    )


def test_terms_that_nobody_said_are_inserted_and_spelled_clips_count_for_nothing_else() -> None:
    found = score(clip("b c caslon", AN4), "Caslon Caslon", [], {"caslon"})
    assert found == Score(inserted=1)


def test_right_text_is_counted_that_a_correction_changes() -> None:
    texts = {
        "LJ001-0001": "Zeebrugge and Caslon wrote",
        **{f"LJ026-{at}": "then Kasslon wrote to Wapping" for at in range(20)},
    }
    found = changes_of_right_text(texts, "tuning")
    assert 0 < found["hours"] < 1
    changed = list(found["50 terms"]["changed"])
    assert changed == ["Kasslon -> Caslon"]


def test_transcripts_are_kept_for_further_runs(tmp_path: Path) -> None:
    path, clips = tmp_path / "kept.json", [clip("one")]
    first = Recogniser.of(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.vocabulary._transcribed", lambda clips, words: [f"said {words}"])
        assert first.texts(clips, ["a"]) == ["said ['a']"]
    assert Recogniser.of(path).texts(clips, ["a"]) == ["said ['a']"]


def test_recordings_of_librispeech_have_their_texts_and_other_texts_are_there_too(
    tmp_path: Path,
) -> None:
    chapter = tmp_path / "1688" / "142285"
    chapter.mkdir(parents=True)
    (chapter / "1688-142285.trans.txt").write_text("1688-142285-0000 AT HELSTONE\n1688-1-0 NOT\n")
    with wave.open(str(chapter / "1688-142285-0000.flac"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    clips, texts = librispeech(tmp_path)
    assert [(each.name, each.text, each.pcm.size) for each in clips] == [
        ("1688-142285-0000", "at helstone", 1600)
    ]
    assert texts == {"1688-142285-0000": "at helstone", "1688-1-0": "not"}
