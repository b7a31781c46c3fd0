"""Programs that use Deepgram's API, as ``auricle doctor --client`` stands in for them.

The requests are those of the sources of the versions named; the key is the only difference.
"""

from functools import partial

from auricle.apis.deepgram.client_check.flux import FluxScript
from auricle.apis.deepgram.client_check.live import KEEP_ALIVE, DeepgramScript
from auricle.protocol.client_profile import ClientProfile, KeyScheme, Stream

TURN_SILENCE_S = 2.0
"""Silence after the speech, in which the last turn ends."""
ERROR_FIELDS = ("err_code", "err_msg")

LIVEKIT = ClientProfile(
    "livekit",
    "LiveKit Agents",
    "livekit-plugins-deepgram 1.8.9",
    "http://127.0.0.1:6007/v1/listen",
    Stream(
        "",
        (
            ("model", "nova-3"),
            ("punctuate", "true"),
            ("smart_format", "false"),
            ("no_delay", "true"),
            ("interim_results", "true"),
            ("encoding", "linear16"),
            ("vad_events", "true"),
            ("sample_rate", "16000"),
            ("channels", "1"),
            ("endpointing", "25"),
            ("filler_words", "true"),
            ("profanity_filter", "false"),
            ("numerals", "false"),
            ("mip_opt_out", "false"),
            ("language", "en-US"),
        ),
        16_000,
        50,
        0.0,
        partial(DeepgramScript, (KEEP_ALIVE,), closes=True),
    ),
    KeyScheme.TOKEN,
    error_fields=ERROR_FIELDS,
)
LIVEKIT_FLUX = ClientProfile(
    "livekit-flux",
    "LiveKit Agents with Flux",
    "livekit-plugins-deepgram 1.8.9",
    "ws://127.0.0.1:6007/v2/listen",
    Stream(
        "",
        (
            ("model", "flux-general-en"),
            ("sample_rate", "16000"),
            ("encoding", "linear16"),
            ("mip_opt_out", "false"),
            ("eager_eot_threshold", "0.5"),
        ),
        16_000,
        50,
        TURN_SILENCE_S,
        FluxScript,
        ends_by_close=True,
    ),
    KeyScheme.TOKEN,
    error_fields=ERROR_FIELDS,
)
PIPECAT = ClientProfile(
    "pipecat",
    "Pipecat",
    "pipecat-ai 1.14.0",
    "http://127.0.0.1:6007",
    Stream(
        "/v1/listen",
        (
            ("detect_entities", "false"),
            ("diarize", "false"),
            ("dictation", "false"),
            ("interim_results", "true"),
            ("numerals", "false"),
            ("punctuate", "true"),
            ("smart_format", "false"),
            ("model", "nova-3-general"),
            ("language", "en"),
            ("encoding", "linear16"),
            ("channels", "1"),
            ("multichannel", "false"),
            ("sample_rate", "16000"),
        ),
        16_000,
        20,
        0.2,
        partial(DeepgramScript, (), closes=False),
    ),
    KeyScheme.TOKEN,
    error_fields=ERROR_FIELDS,
)
PIPECAT_FLUX = ClientProfile(
    "pipecat-flux",
    "Pipecat with Flux",
    "pipecat-ai 1.14.0",
    "ws://127.0.0.1:6007/v2/listen",
    Stream(
        "",
        (
            ("model", "flux-general-en"),
            ("sample_rate", "16000"),
            ("encoding", "linear16"),
        ),
        16_000,
        20,
        TURN_SILENCE_S,
        FluxScript,
        ends_by_close=True,
    ),
    KeyScheme.TOKEN,
    error_fields=ERROR_FIELDS,
)

CLIENTS = (LIVEKIT, LIVEKIT_FLUX, PIPECAT, PIPECAT_FLUX)
