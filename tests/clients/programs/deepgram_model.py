"""Chooses models with Deepgram's SDK for Python, for a file and live; prints JSON."""

import json
import sys
import threading
import wave

from deepgram import DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from websockets.exceptions import InvalidStatus

address, key, clip, *models = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
client = DeepgramClient(api_key=key, environment=environment)
LINEAR = {"encoding": "linear16", "sample_rate": 16_000, "punctuate": "true"}


def transcribed(model: str) -> list[str]:
    with open(clip, "rb") as audio:
        answer = client.listen.v1.media.transcribe_file(
            request=audio.read(), model=model, request_options={"max_retries": 0}
        )
    body = json.loads(answer.json())
    [info] = body["metadata"]["model_info"].values()
    return [info["name"], body["results"]["channels"][0]["alternatives"][0]["transcript"]]


def live(model: str) -> list[str]:
    results = []

    def note(message) -> None:
        if message.type == "Results" and message.is_final:
            results.append((message.metadata.model_info.name, message.channel.alternatives[0]))

    with client.listen.v1.connect(model=model, **LINEAR) as connection:
        connection.on(EventType.MESSAGE, note)
        listening = threading.Thread(target=connection.start_listening)
        listening.start()
        with wave.open(clip) as audio:
            while samples := audio.readframes(16_000):
                connection.send_media(samples)
        connection.send_close_stream()
        listening.join()
    return [results[-1][0], " ".join(each.transcript for _, each in results)]


seen = {
    "files": {model: transcribed(model) for model in models},
    "live": {model: live(model) for model in models},
}
listed = client.manage.v1.models.list().stt
seen["listed"] = [model.canonical_name for model in listed]
seen["got"] = client.manage.v1.models.get(listed[1].uuid_).canonical_name
try:
    transcribed("large-v3")
except ApiError as error:
    seen["unknown"] = [error.status_code, error.body["code"]]
try:
    live("large-v3")
except InvalidStatus as error:  # the SDK lets it through
    seen["unknown, live"] = [error.response.status_code, json.loads(error.response.body)["code"]]
print(json.dumps(seen))
