"""Dictation programs and plug-ins of editors that use OpenAI's API for files.

The requests are those of the sources of the versions named; the key is the only difference.
"""

from auricle.apis.openai.client_check import (
    FILE,
    TRANSCRIPTIONS,
    WHISPER_1,
    read_text,
)
from auricle.protocol.client_profile import ClientProfile, Container, Form, Probe, Upload

RECORDED_WEBM = "audio/webm;codecs=opus"
"""The type of a recording of Chromium's MediaRecorder."""
TEST = "test of the connection"
HYPRWHSPR_PROMPT = (
    "Transcribe with proper capitalization, including sentence beginnings, proper nouns, titles, "
    "and standard English capitalization rules."
)
"""What it sends unless another prompt or another language is set."""

DICTATE_KEYBOARD = ClientProfile(
    "dictate-keyboard",
    "Dictate Keyboard",
    "6.0.0",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form(
            (FILE, ("model", "gpt-4o-mini-transcribe"), ("response_format", "json")),
            "dictate_audio.wav",
            "audio/wav",
        ),
        Container.WAV,
        read_text,
        (Probe("GET", "/models", TEST),),
    ),
)
DICTION = ClientProfile(
    "diction",
    "Diction's gateway",
    "604dfef (July 2026)",
    "http://127.0.0.1:6007",
    Upload(
        "/v1/audio/transcriptions",
        Form((FILE, WHISPER_1), "audio.wav", "application/octet-stream"),
        Container.WAV,
        read_text,
    ),
    runs_in_container=True,
)
HYPRWHSPR = ClientProfile(
    "hyprwhspr",
    "hyprwhspr",
    "74bfe86 (August 2026)",
    "http://127.0.0.1:6007/v1/audio/transcriptions",
    Upload(
        "",
        Form((WHISPER_1, ("prompt", HYPRWHSPR_PROMPT), FILE), "audio.wav", "audio/wav"),
        Container.WAV,
        read_text,
    ),
)
OBSIDIAN_WHISPER = ClientProfile(
    "obsidian-whisper",
    "Obsidian's plug-in Whisper",
    "1.9.1",
    "http://127.0.0.1:6007/v1/audio/transcriptions",
    Upload(
        "",
        Form((FILE, WHISPER_1), "2026-08-22T10-00-00.webm", "audio/webm"),
        Container.WEBM,
        read_text,
    ),
    origin="app://obsidian.md",
)
OPENWHISPR = ClientProfile(
    "openwhispr",
    "OpenWhispr",
    "1.8.3",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((FILE, WHISPER_1), "audio.webm", RECORDED_WEBM),
        Container.WEBM,
        read_text,
    ),
)
TYPEWHISPER = ClientProfile(
    "typewhisper",
    "TypeWhisper for macOS",
    "1.6.0",
    "http://127.0.0.1:6007",
    Upload(
        "/v1/audio/transcriptions",
        Form((FILE, WHISPER_1, ("response_format", "json")), "audio.m4a", "audio/mp4"),
        Container.M4A,
        read_text,
        (Probe("GET", "/v1/models", TEST),),
    ),
)
TYPEWHISPER_WINDOWS = ClientProfile(
    "typewhisper-windows",
    "TypeWhisper for Windows",
    "1.0.9",
    "http://127.0.0.1:6007",
    Upload(
        "/v1/audio/transcriptions",
        Form(
            (FILE, WHISPER_1, ("response_format", "verbose_json")),
            "audio.wav",
            "audio/wav",
            is_typed=True,
            is_quoted=False,
        ),
        Container.WAV,
        read_text,
        (Probe("GET", "/v1/models", TEST),),
    ),
)
WHISPER_ASSISTANT = ClientProfile(
    "whisper-assistant",
    "Visual Studio Code's Whisper Assistant",
    "1.2.4",
    "http://127.0.0.1:6007",
    Upload(
        "/v1/audio/transcriptions",
        Form(
            (WHISPER_1, ("language", "en"), ("response_format", "verbose_json"), FILE),
            "recording.wav",
            "application/octet-stream",
        ),
        Container.WAV,
        read_text,
    ),
)
WHISPERING = ClientProfile(
    "whispering",
    "Whispering",
    "7.11.1",
    "http://127.0.0.1:6007/v1",
    Upload(
        TRANSCRIPTIONS,
        Form((FILE, WHISPER_1), "audio.webm", RECORDED_WEBM),
        Container.WEBM,
        read_text,
    ),
    origin="tauri://localhost",
)

CLIENTS = (
    DICTATE_KEYBOARD,
    DICTION,
    HYPRWHSPR,
    OBSIDIAN_WHISPER,
    OPENWHISPR,
    TYPEWHISPER,
    TYPEWHISPER_WINDOWS,
    WHISPER_ASSISTANT,
    WHISPERING,
)
