"""Transcribes a WAV file as `vosk-transcriber --server` does: prints the text, or SubRip.

The arguments are the server's URL, the file, and `txt` or `srt`. Two things differ from the
command: its URL is fixed, and it loads a model before it uses a server. `ffmpeg` is a script that
prints the samples of the file.
"""

import os
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from queue import Queue

from vosk.transcriber.transcriber import Transcriber

SCRIPT = f"""#!{sys.executable}
import sys, wave
with wave.open(sys.argv[sys.argv.index("-i") + 1]) as audio:
    sys.stdout.buffer.write(audio.readframes(audio.getnframes()))
"""


class Remote(Transcriber):
    def __init__(self, args):
        self.args, self.queue = args, Queue()


url, path, kind = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    script = Path(folder) / "ffmpeg"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    args = Namespace(server=url, output_type=kind, tasks=1)
    Remote(args).process_task_list([(Path(path), "")])
