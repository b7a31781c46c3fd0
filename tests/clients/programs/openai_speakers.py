"""Speakers of a recording, as OpenAI's package gives them; prints JSON."""

import base64
import json
import sys
from pathlib import Path

from openai import OpenAI
from openai.types.audio import TranscriptionDiarized

url, key, recording, reference = sys.argv[1:]
voice = base64.b64encode(Path(reference).read_bytes()).decode()
asked = {
    "file": Path(recording),
    "model": "gpt-4o-transcribe-diarize",
    "response_format": "diarized_json",
    "chunking_strategy": "auto",
}
known = {
    "known_speaker_names": ["Joe"],
    "known_speaker_references": [f"data:audio/wav;base64,{voice}"],
}
create = OpenAI(base_url=url, api_key=key).audio.transcriptions.create
plain, named = create(**asked), create(**asked, **known)
assert isinstance(plain, TranscriptionDiarized)
events = list(create(**asked, stream=True))
json.dump(
    {
        "plain": [segment.speaker for segment in plain.segments],
        "named": [segment.speaker for segment in named.segments],
        "streamed": [e.speaker for e in events if e.type == "transcript.text.segment"],
        "last": events[-1].type,
        "text": plain.text,
    },
    sys.stdout,
)
