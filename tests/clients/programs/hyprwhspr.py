"""hyprwhspr's own transcription, without its keys and microphone: REST, then Realtime; prints JSON.

Its modules are those of a checkout; the audio is a file, in chunks of its recorder's size.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import wave

checkout, address, key, path = sys.argv[1:]
home = tempfile.TemporaryDirectory()
os.environ.update(HOME=home.name, XDG_CONFIG_HOME=home.name)  # settings and keys are files there
sys.path.insert(0, f"{checkout}/lib/src")

import numpy as np  # noqa: E402
from config_manager import ConfigManager  # noqa: E402
from credential_manager import save_credential  # noqa: E402
from whisper_manager import WhisperManager  # noqa: E402

CHUNK_SAMPLES = 1024
RATE_HZ = 16_000
REST = {
    "transcription_backend": "rest-api",
    "rest_endpoint_url": f"http://{address}/v1/audio/transcriptions",
    "rest_api_provider": "custom",
    "rest_body": {"model": "whisper-1"},
}
LIVE = {
    "transcription_backend": "realtime-ws",
    "websocket_provider": "custom",
    "websocket_model": "whisper-1",
    "websocket_url": f"ws://{address}/v1/realtime",
    "realtime_mode": "transcribe",
}


def opened(settings):
    config = ConfigManager(verbose=False)
    for name, value in settings.items():
        config.set_setting(name, value)
    manager = WhisperManager(config)
    assert manager.initialize()
    return manager


def dictated(manager, samples, send=None):
    """Return the text, and the time from the release of the key to the text."""
    if send is not None:
        for at in range(0, samples.size, CHUNK_SAMPLES):
            send(samples[at : at + CHUNK_SAMPLES])
            time.sleep(CHUNK_SAMPLES / RATE_HZ)
    released_at = time.monotonic()
    text = manager.transcribe_audio(samples)
    return {"text": text, "after_s": time.monotonic() - released_at}


with wave.open(path) as file:
    speech = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
noise = np.random.default_rng(1).normal(0, 1e-4, RATE_HZ).astype(np.float32)
found = {}
with contextlib.redirect_stdout(sys.stderr):
    save_credential("custom", key)
    rest = opened(REST)
    found["rest"] = dictated(rest, speech)
    found["rest, nothing said"] = dictated(rest, noise)
    live = opened(LIVE)
    send = live.get_realtime_streaming_callback()
    send.set_input_sample_rate(RATE_HZ)
    found["realtime"] = dictated(live, speech, send)
    found["realtime, nothing said"] = dictated(live, noise, send)
    live.cleanup()
print(json.dumps(found))
