"""Keyword arguments as parameters of a live stream."""

import msgspec
import pytest

from auricle.client.api.live_options import LiveOptions, stream_parameters
from auricle.values.commands import StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.events import Wire
from auricle.values.types import Task

pytestmark = pytest.mark.unit


def test_texts_and_lists_become_what_the_protocol_has() -> None:
    parameters = stream_parameters(
        {"task": "translate", "hotwords": ["Auricle"], "format": "pcm16", "endpoint_ms": 300}
    )
    assert parameters == StreamParameters(
        task=Task.TRANSLATE, hotwords=("Auricle",), format=Wire.PCM16, endpoint_ms=300
    )
    assert stream_parameters({}) == StreamParameters()


def test_what_is_invalid_is_named() -> None:
    with pytest.raises(BadRequest, match="endpoint_ms"):
        stream_parameters({"endpoint_ms": 1})
    with pytest.raises(TypeError, match="langauge"):
        stream_parameters({"langauge": "en"})  # type: ignore[typeddict-unknown-key]  # a typing error


def test_all_parameters_but_those_that_the_client_sets_are_there() -> None:
    set_by_the_client = {
        "sample_rate",
        "channels",
        "multichannel",
        "frame_ms",
        "seq",
        "start_sample",
        "safe_sample",
        "channel_safe_samples",
    }
    known = {field.name for field in msgspec.structs.fields(StreamParameters)}
    assert LiveOptions.__annotations__.keys() == known - set_by_the_client
