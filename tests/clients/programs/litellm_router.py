"""Transcribes a clip with LiteLLM's router; the arguments are a configuration and the clip."""

import asyncio
import sys

import litellm
import yaml

with open(sys.argv[2], "rb") as clip:
    audio = ("clip.wav", clip.read())


async def main():
    router = litellm.Router(model_list=yaml.safe_load(sys.argv[1])["model_list"])
    transcript = await router.atranscription(model="whisper-1", file=audio)
    print(transcript.text)


asyncio.run(main())
