"""Streams a clip to Flux with Deepgram's SDK, in any version that has it; prints JSON.

Runs behind a snippet that makes ``client``. Later versions first let the model end no turn, and end
it themselves at the end of the clip. The argument is the clip.
"""

import json
import sys
import threading
import time
import wave

from deepgram.core.events import EventType

with wave.open(sys.argv[1]) as audio:
    samples = audio.readframes(audio.getnframes())
told = []


def event_of(message):
    return message.get("trigger") or message.get("event") or message["type"]


with client.listen.v2.connect(  # noqa: F821
    model="flux-general-en",
    encoding="linear16",
    sample_rate="16000",
    eager_eot_threshold="0.4",
    eot_threshold="0.8",
    keyterm=["fellow"],
) as connection:
    is_recent = hasattr(connection, "send_force_end_turn")
    news = threading.Condition()

    def keep(message):
        with news:
            told.append({"at_s": time.monotonic() - began_at, **message.dict()})
            news.notify()

    def until(name):
        with news:
            if not news.wait_for(lambda: name in map(event_of, told), 60):
                sys.exit(f"no {name}: {[event_of(message) for message in told]}")

    began_at = time.monotonic()
    connection.on(EventType.MESSAGE, keep)
    listening = threading.Thread(target=connection.start_listening)
    listening.start()
    until("Connected")
    if is_recent:
        thresholds = {"eot_threshold": 1.0, "eot_timeout_ms": 30_000}
        connection.send_configure(
            {"type": "Configure", "keyterms": ["fellow Americans"], "thresholds": thresholds}
        )
        until("ConfigureSuccess")
    began_at = time.monotonic()
    for at in range(0, len(samples), 2560):
        connection.send_media(samples[at : at + 2560])
        time.sleep(0.08)
    if is_recent:
        connection.send_force_end_turn()
        until("manual")
        connection.send_close_stream()
    else:
        from deepgram.extensions.types.sockets import ListenV2ControlMessage

        connection.send_control(ListenV2ControlMessage(type="CloseStream"))
    listening.join(60)
print(json.dumps(told))
