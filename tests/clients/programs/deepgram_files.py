"""Kinds of answers and errors, as Deepgram's SDK for Python gives them; prints JSON."""

import json
import sys
from pathlib import Path

from deepgram import DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from websockets.exceptions import InvalidStatus

address, key = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"


def client(key):
    environment = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    return DeepgramClient(api_key=key, environment=environment)


def transcribe(name, **how):
    content = Path("testdata", name).read_bytes() if name else b"no audio" * 1000
    answer = client(key).listen.v1.media.transcribe_file(request=content, **how)
    return json.loads(answer.json())


seen = {
    "smart": transcribe("story.ogg", smart_format=True, utterances=True, keyterm=["Auricle"]),
    "plain": transcribe("fellow.wav", model="nova-3"),
    "detected": transcribe("fellow.flac", detect_language=True, punctuate=True),
    "m4a": transcribe("fellow.m4a", punctuate=True),
    "webm": transcribe("fellow.webm", punctuate=True, encoding=None),
}
seen["token"] = client(key).auth.v1.tokens.grant(ttl_seconds=60).expires_in

raised = {}
options = {"request_options": {"max_retries": 0}}
for name, work in {
    "url": lambda: client(key).listen.v1.media.transcribe_url(url="http://localhost/", **options),
    "wrong key": lambda: client("nobody").listen.v1.media.transcribe_file(request=b"", **options),
    "empty": lambda: client(key).listen.v1.media.transcribe_file(request=b"", **options),
    "not audio": lambda: transcribe(None, **options),
    "wrong language": lambda: transcribe("short.wav", language="klingon", **options),
    "redact": lambda: transcribe("short.wav", redact=["pii"], **options),
    "wrong key, live": lambda: client("nobody").listen.v1.connect(model="nova-3").__enter__(),
    "wrong encoding, live": lambda: (
        client(key).listen.v1.connect(model="nova-3", encoding="g729").__enter__()
    ),
}.items():
    try:
        work()
        raised[name] = None
    except ApiError as error:
        raised[name] = [type(error).__name__, error.status_code, error.body["err_code"]]
    except InvalidStatus as error:  # the SDK lets it through
        body = json.loads(error.response.body)
        raised[name] = ["InvalidStatus", error.response.status_code, body["err_code"]]
print(json.dumps({**seen, "raised": raised}))
