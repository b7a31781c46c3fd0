"""What the tests of live share."""

import json
from collections.abc import Iterable
from urllib.parse import parse_qsl

from auricle.events import SessionEvent
from auricle.protocol.deepgram.live import DeepgramDialect
from auricle.protocol.deepgram.query import Listen, parse_listen
from auricle.protocol.deepgram.results import Json, ModelInfo
from auricle.protocol.dialect import Step

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
