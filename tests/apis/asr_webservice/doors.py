"""whisper-asr-webservice's API in the comparison of all APIs."""

from functools import partial

from bench.lib.door import Door, of_file

FILE = "/asr?output=json&language={language}"
DOORS = [Door("ASR webservice", partial(of_file, FILE, "audio_file"))]
