"""Chooses models with OpenAI's package, for files and live; prints JSON."""

import asyncio
import base64
import json
import sys
import wave

import openai

url, key, clip, *models = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)


def transcribed(model: str) -> str:
    with open(clip, "rb") as audio:
        return client.audio.transcriptions.create(model=model, file=audio).text


async def live(model: str) -> str:
    own = openai.AsyncOpenAI(
        base_url=url, websocket_base_url=url.replace("http", "ws"), api_key=key, max_retries=0
    )
    audio_input = {
        "format": {"type": "audio/pcm", "rate": 24_000},
        "transcription": {"model": model, "language": "en"},
        "turn_detection": None,
    }
    async with own.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(
            session={"type": "transcription", "audio": {"input": audio_input}}
        )
        with wave.open(clip) as audio:
            pcm = audio.readframes(audio.getnframes())
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())
        await connection.input_audio_buffer.commit()
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.completed":
                return event.transcript
            if event.type == "error":
                return event.error.code
    return ""


listed = [model.to_dict() for model in client.models.list()]
seen = {
    "listed": [model["id"] for model in listed if model["root"] == model["id"]],
    "retrieved": client.models.retrieve(models[-1]).to_dict()["root"],
    "texts": {model: transcribed(model) for model in models},
    "live": {model: asyncio.run(live(model)) for model in (*models, "large-v3")},
}
try:
    transcribed("large-v3")
except openai.NotFoundError as error:
    seen["unknown"] = [error.code, error.param, error.body["message"]]
print(json.dumps(seen))
