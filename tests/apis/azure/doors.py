"""Azure OpenAI in the comparison of all APIs."""

from functools import partial

from bench.lib.door import Door, of_file

FILE = "/openai/deployments/whisper-1/audio/transcriptions?api-version=2024-06-01"
DOORS = [Door("Azure file", partial(of_file, FILE, "file"))]
