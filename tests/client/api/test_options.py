"""Options of a transcription as a query."""

import msgspec
import pytest

from auricle.client.api.options import JobOptions, TranscribeOptions, query_of
from auricle.server.uploads.params import Fields

pytestmark = pytest.mark.unit


def test_values_are_as_the_server_reads_them() -> None:
    options: TranscribeOptions = {
        "language": "en",
        "hotwords": ["Auricle", "Opus"],
        "word_timestamps": True,
        "speakers": False,
        "beam_size": 1,
        "max_wait_s": 2.5,
        "model": None,
    }
    assert query_of(options, TranscribeOptions) == {
        "language": "en",
        "hotwords": "Auricle,Opus",
        "word_timestamps": "true",
        "speakers": "false",
        "beam_size": "1",
        "max_wait_s": "2.5",
    }


def test_any_iterable_is_a_list() -> None:
    words = (word for word in ("Auricle", "Opus"))
    assert query_of({"hotwords": words}, TranscribeOptions) == {  # type: ignore[typeddict-item]  # a caller without types
        "hotwords": "Auricle,Opus"
    }


def test_an_unknown_option_is_named() -> None:
    options: JobOptions = {"callback_url": "https://app.example"}
    assert query_of(options, JobOptions) == options
    with pytest.raises(TypeError, match="callback_url"):
        query_of(options, TranscribeOptions)


def test_all_options_of_the_server_are_there() -> None:
    known = {field.name for field in msgspec.structs.fields(Fields)}
    aliases = {"src_lang"}
    assert JobOptions.__annotations__.keys() == known - aliases
