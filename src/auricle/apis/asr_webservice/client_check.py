"""Bazarr, as ``auricle doctor --client`` stands in for it, from the source of its version."""

import re

from auricle.protocol.client_profile import ClientProfile, Container, Form, KeyScheme, Probe, Upload

AUDIO_FILE = Form((("audio_file", None),), "audio_file", "")
_CUE = re.compile(r"\d+\n[\d:,]+ --> [\d:,]+\n(.+?)(?:\n\n|\n?\Z)", re.DOTALL)


def read_subtitles(body: bytes) -> str:
    """Return the text of SubRip subtitles.

    Raises:
        ValueError: The response has no cues.
    """
    cues = _CUE.findall(body.decode(errors="replace"))
    if not cues:
        raise ValueError("The response has no subtitles.")
    return " ".join(" ".join(cues).split())


BAZARR = ClientProfile(
    "bazarr",
    "Bazarr",
    "920853d (May 2025)",
    "http://127.0.0.1:6007",
    Upload(
        "/asr?task=transcribe&language=en&output=srt&encode=false",
        AUDIO_FILE,
        Container.SAMPLES,
        read_subtitles,
        (
            Probe(
                "POST",
                "/detect-language?encode=false",
                "language of the film",
                AUDIO_FILE,
                has_speech=True,
            ),
        ),
    ),
    KeyScheme.BASIC,
    runs_in_container=True,
    error_fields=("code", "detail"),
    command="AURICLE_ASR_WEBSERVICE=1 auricle serve",
)

CLIENTS = (BAZARR,)
