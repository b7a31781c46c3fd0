"""English speech with another language at this API: the text is English, and it is reported."""

import json
from typing import Any

from websockets.asyncio.client import connect

from tests.apis.real_server import (
    PCM,
    SECOND,
    SPOKEN_LIVE,
    Server,
    check_warning,
)
from tests.support.clips import words


async def check(server: Server) -> None:
    answers: list[dict[str, Any]] = []
    async with connect(f"ws://127.0.0.1:{server.port_of('vosk')}", proxy=None) as connection:
        for message in ('{"config": {"sample_rate": 16000, "language": "ja"}}', PCM + SECOND):
            await connection.send(message)
        await connection.send('{"eof": 1}')
        async for answer in connection:
            answers.append(json.loads(answer))
    assert words(" ".join(answer.get("text", "") for answer in answers)) == SPOKEN_LIVE
    warnings = [text for answer in answers for text in answer.get("warnings", ())]
    check_warning(warnings[0], "ja")


CHECKS = (check,)
