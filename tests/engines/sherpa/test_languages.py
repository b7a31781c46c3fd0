"""Languages of models, from their files and names."""

from pathlib import Path

import pytest

from auricle.engines.sherpa.kinds import CANARY, MOONSHINE, SENSE_VOICE, TRANSDUCER, WHISPER, Kind
from auricle.engines.sherpa.languages import PARAKEET_V3_LANGUAGES, find_languages
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("kind", "name", "metadata", "expected"),
    [
        (TRANSDUCER, "sherpa-onnx-zipformer-en-2023-06-26", {}, {"en"}),
        (TRANSDUCER, "streaming-zipformer-bilingual-zh-en-2023-02-20", {}, {"zh", "en"}),
        (TRANSDUCER, "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8", {}, PARAKEET_V3_LANGUAGES),
        (TRANSDUCER, "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8", {}, {"en"}),
        (TRANSDUCER, "mine", {"url": "https://h/stt_de_fastconformer_hybrid/"}, {"de"}),
        (MOONSHINE, "moonshine-base-uk-quantized", {}, {"uk"}),
        (SENSE_VOICE, "anything", {}, {"zh", "en", "ja", "ko", "yue"}),
        (WHISPER, "x", {"is_multilingual": "0"}, {"en"}),
        (WHISPER, "x", {"is_multilingual": "1", "all_language_codes": "en,de,xx"}, {"en", "de"}),
    ],
)
def test_languages(
    tmp_path: Path, kind: Kind, name: str, metadata: dict[str, str], expected: set[str]
) -> None:
    assert find_languages(kind, tmp_path / name, metadata, {}) == expected


def test_canary_s_are_tokens(tmp_path: Path) -> None:
    tokens = {"<|en|>": 0, "<|de|>": 1, "<|pnc|>": 2, "de": 3, "<|zz|>": 4}
    assert find_languages(CANARY, tmp_path, {}, tokens) == {"en", "de"}


def test_a_link_has_the_languages_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "zipformer-ja").mkdir()
    (tmp_path / "mine").symlink_to(tmp_path / "zipformer-ja")
    assert find_languages(TRANSDUCER, tmp_path / "mine", {}, {}) == {"ja"}


def test_the_operator_s_file_comes_first(tmp_path: Path) -> None:
    (tmp_path / "languages.txt").write_text("fr, de\n")
    assert find_languages(SENSE_VOICE, tmp_path, {}, {}) == {"fr", "de"}


def test_unknown_languages_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"unknown. Write their codes, .*/mine/languages.txt"):
        find_languages(TRANSDUCER, tmp_path / "mine", {}, {})


@pytest.mark.parametrize("content", [b"english", b"", b"\xff"])
def test_a_bad_file_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "languages.txt").write_bytes(content)
    with pytest.raises(SetupError, match=r"languages.txt (has unknown|cannot be read)"):
        find_languages(TRANSDUCER, tmp_path, {}, {})
