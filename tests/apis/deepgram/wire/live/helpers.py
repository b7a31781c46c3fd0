"""What the tests of live share."""

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl

from auricle.apis.deepgram.wire.live import DeepgramDialect
from auricle.apis.deepgram.wire.query import Listen, parse_listen
from auricle.apis.deepgram.wire.results import Json, ModelInfo
from auricle.protocol.dialect import Step
from auricle.values.events import SessionEvent

LINEAR = "encoding=linear16&sample_rate=16000&punctuate=true&interim_results=true"


def listen(query: str = LINEAR) -> Listen:
    return parse_listen(parse_qsl(query))


def dialect(query: str = LINEAR) -> DeepgramDialect:
    return DeepgramDialect(
        listen(query),
        request_id="id",
        created="2026-11-25T12:00:00.000Z",
        model=ModelInfo("base", "1", "whisper"),
    )


def tell(one: DeepgramDialect, *events: SessionEvent) -> list[Json]:
    return [json.loads(text) for event in events for text in one.encode(event)]


def steps(shown: Iterable[Step]) -> list[Step]:
    return list(shown)
