"""Files and Realtime through Azure OpenAI's client; prints JSON.

Takes the server's URL, its key and a clip of 16 kHz.
"""

import asyncio
import base64
import json
import sys
import wave

import openai

url, key, clip = sys.argv[1:]
AZURE = {"api_key": key, "api_version": "2025-03-01-preview", "max_retries": 0}
LIVE = f"ws{url.removeprefix('http')}/openai"
COMPLETED = "conversation.item.input_audio_transcription.completed"

azure = openai.AzureOpenAI(azure_endpoint=url, **AZURE)
deployed = openai.AzureOpenAI(azure_endpoint=url, azure_deployment="my-whisper", **AZURE)
at_v1 = openai.AzureOpenAI(base_url=f"{url}/v1", **AZURE)
v1 = openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key)


def ask(client, kind="transcriptions", **fields):
    with open(clip, "rb") as audio:
        return getattr(client.audio, kind).create(file=audio, **fields)


async def live():
    client = openai.AsyncAzureOpenAI(azure_endpoint=url, websocket_base_url=LIVE, **AZURE)
    audio_input = {
        "format": {"type": "audio/pcm", "rate": 16_000},
        "transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": None,
    }
    async with client.realtime.connect(model="my-whisper") as connection:
        await connection.session.update(
            session={"type": "transcription", "audio": {"input": audio_input}}
        )
        with wave.open(clip) as audio:
            pcm = audio.readframes(audio.getnframes())
        for at in range(0, len(pcm), 32_000):
            part = base64.b64encode(pcm[at : at + 32_000]).decode()
            await connection.input_audio_buffer.append(audio=part)
        await connection.input_audio_buffer.commit()
        async for event in connection:
            assert event.type != "error", event
            if event.type == COMPLETED:
                return event.transcript
    return ""


def refused(**changes):
    try:
        ask(openai.AzureOpenAI(**{"azure_endpoint": url, **AZURE, **changes}), model="whisper-1")
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code]


words = ask(
    azure, model="whisper-1", response_format="verbose_json", timestamp_granularities=["word"]
)
print(
    json.dumps(
        {
            "texts": {
                "AzureOpenAI": ask(azure, model="my-whisper", language="en").text,
                "azure_deployment": ask(deployed, model="").text,
                "verbose_json, words": " ".join(word.word for word in words.words),
                "translation": ask(azure, "translations", model="whisper-1").text,
                "AzureOpenAI at /v1": ask(at_v1, model="my-whisper").text,
                "OpenAI at /openai/v1": ask(v1, model="whisper-1").text,
                "realtime": asyncio.run(live()),
            },
            "models": [model.id for model in azure.models.list()],
            "secret": deployed.realtime.client_secrets.create().value[:3],
            "wrong key": refused(api_key="wrong"),
            "wrong path": refused(azure_endpoint=f"{url}/elsewhere"),
        }
    )
)
