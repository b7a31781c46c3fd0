"""Transcribes a clip with LiteLLM's router, next to a server that does not answer, then a full one.

The arguments are two parts of a proxy's configuration, models and settings, and the clip.
"""

import asyncio
import copy
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import litellm
import yaml

with open(sys.argv[3], "rb") as clip:
    audio = ("clip.wav", clip.read())
models = yaml.safe_load(sys.argv[1])["model_list"]
settings = yaml.safe_load(sys.argv[2])["router_settings"]


class Full(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_error(503)

    def log_message(self, *_):
        pass


async def main(full):
    for address in ("127.0.0.1:1", full):
        other = copy.deepcopy(models[0])
        other["litellm_params"]["api_base"] = f"http://{address}/v1"
        router = litellm.Router(model_list=[other, *models], **settings)
        for _ in range(3):
            transcript = await router.atranscription(model="whisper-1", file=audio)
            print(transcript.text)


server = ThreadingHTTPServer(("127.0.0.1", 0), Full)
Thread(target=server.serve_forever, daemon=True).start()
random.seed(1)  # chooses the entries
asyncio.run(main(f"127.0.0.1:{server.server_port}"))
