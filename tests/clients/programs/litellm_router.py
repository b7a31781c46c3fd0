"""Transcribes a clip with LiteLLM's router, next to a server that does not answer.

The arguments are two parts of a proxy's configuration, models and settings, and the clip.
"""

import asyncio
import copy
import sys

import litellm
import yaml

with open(sys.argv[3], "rb") as clip:
    audio = ("clip.wav", clip.read())
models = yaml.safe_load(sys.argv[1])["model_list"]
settings = yaml.safe_load(sys.argv[2])["router_settings"]
away = copy.deepcopy(models[0])
away["litellm_params"]["api_base"] = "http://127.0.0.1:1/v1"


async def main():
    router = litellm.Router(model_list=[away, *models], **settings)
    for _ in range(3):
        transcript = await router.atranscription(model="whisper-1", file=audio)
        print(transcript.text)


asyncio.run(main())
