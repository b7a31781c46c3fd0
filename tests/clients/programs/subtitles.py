"""Reads subtitles with webvtt-py, which raises for what is malformed; prints the cues as JSON."""

import json
import sys
from io import BytesIO

from webvtt import WebVTT

kind, text = sys.argv[1:]
cues = WebVTT.from_buffer(BytesIO(text.encode()), format=kind, strict=True)
json.dump([[cue.start_in_seconds, cue.end_in_seconds, cue.text] for cue in cues], sys.stdout)
