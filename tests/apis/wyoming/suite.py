"""Measure Wyoming with other people's programs, and what Home Assistant's names are worth.

    python -m tests.apis.wyoming.suite [--corpus CORPUS] [--out docs/benchmarks/wyoming]
        [--home-assistant PYTHON] [--only bench ends names home-assistant]

- ``wyoming-bench``, unmodified, on the read clips of the corpus: as fast as it sends, and at the
  pace of speech with three seconds of silence, while the client ends a command and while the server
  does.
- When the transcript of a command comes, if only the server ends it.
- Speech with odd names, with and without a Home Assistant whose devices have these names among
  others: read clips of the corpus, and commands of a synthetic voice.
- Home Assistant's own speech-to-text entity, with both ends of a command, and with the names of the
  home and without them, if ``--home-assistant`` is a Python that has it: ``pip install
  homeassistant`` and the packages that its component ``conversation`` needs.
- The same entity with the app of Home Assistant's Supervisor, if ``scripts/build-images cpu
  home-assistant`` has built its image and this is root, which port 80 needs.

Requires the environment ``client-wyoming`` of ``make test-clients``.
"""

import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auricle.apis.wyoming.wire.framing import EventFramer
from auricle.values.types import Pcm16
from bench.lib.audio import as_wav
from bench.lib.report import command_line, publish, read_json
from bench.lib.scoring import Errors, word_errors
from bench.lib.speech import CORPUS, READ, Clip, corpus, say
from bench.suites.wyoming_bench import run_bench
from tests.apis.wyoming.home_assistant.fake import (
    RESULTS,
    TOKEN,
    FakeHomeAssistant,
    home_in_thread,
)
from tests.apis.wyoming.service import spoken
from tests.clients.environment import PROGRAMS, Client, program
from tests.clients.server import real_server
from tests.support.command import Command, until
from tests.support.podman import IMAGES, started
from tests.support.poll import wait_until

Json = dict[str, Any]
PARTS = ("bench", "ends", "names", "home-assistant", "app")

WYOMING = Client("client-wyoming")
APP_PORT, APP_READY_S = 10300, 240
PACE = ("--mode", "streaming", "--chunk-delay", "0.064", "--trailing-silence", "3")
FAST = ("--mode", "both")
BENCHES = {
    "as fast as it sends, the client ends": (0, FAST),
    "as fast as it sends, the server ends": (1, FAST),
    "at the pace of speech, the client ends": (0, PACE),
    "at the pace of speech, the server ends": (1, PACE),
}
NAMED_COMMANDS: dict[str, tuple[str, ...]] = {
    "Turn on the Bjørnholm lamp.": ("Bjørnholm lamp",),
    "Open the Hafnarfjall blinds.": ("Hafnarfjall blinds",),
    "Play jazz on the Wurlitzer.": ("Wurlitzer",),
    "Set the Zwolle heater to nineteen degrees.": ("Zwolle heater",),
    "Is the Küppersbusch oven off?": ("Küppersbusch oven",),
}
NAMED_CLIPS: dict[str, tuple[str, ...]] = {
    "LJ001-0031.flac": ("Sweynheim", "Pannartz", "Subiaco"),
    "LJ001-0021.flac": ("Gutenberg",),
    "LJ001-0007.flac": ("Gutenberg",),
}
"""Speech and the names in it; all names are in one home."""
OTHER_NAMES = [
    "Living room",
    "Kitchen",
    "Bedroom",
    "Bathroom",
    "Hallway",
    "Garage",
    "Attic",
    "Cellar",
    "Office",
    "Nursery",
    "Ceiling light",
    "Floor lamp",
    "Desk lamp",
    "Reading light",
    "Coffee machine",
    "Dishwasher",
    "Dryer",
    "Front door",
    "Patio lights",
    "Christmas tree",
    "Thermostat",
    "Robot vacuum",
    "Television",
    "Soundbar",
    "Ecobee",
    "Nanit",
    "Sonos One",
    "Roborock",
    "Velux window",
    "Somfy awning",
    "Nuki lock",
    "Aqara sensor",
]
"""Names of the home that do not occur in the speech; areas come first."""
_NAMED = (*NAMED_COMMANDS.values(), *NAMED_CLIPS.values())
HOME = [*OTHER_NAMES, *dict.fromkeys(name for names in _NAMED for name in names)]


@contextmanager
def wyoming_server(**settings: object) -> Iterator[tuple[Command, int]]:
    """Serve Wyoming with Whisper base; give the server and Wyoming's port."""
    with (
        tempfile.TemporaryDirectory() as folder,
        real_server(Path(folder), wyoming=1, wyoming_port=0, **settings) as server,
    ):
        started = re.search(r'"port": (\d+), "event": "wyoming_started"', server.command.stderr)
        assert started
        yield server.command, int(started[1])


def run_bench_of(clips: Sequence[Clip], *, ends_commands: int, options: Sequence[str]) -> Json:
    """Return the figures of ``wyoming-bench`` with a server that ends commands or does not."""
    with wyoming_server(wyoming_ends_commands=ends_commands) as (_, port):
        result = run_bench(f"127.0.0.1:{port}", clips, options)
    return {"server": f"AURICLE_WYOMING_ENDS_COMMANDS={ends_commands}"} | result


def ask(port: int, pcm: Pcm16) -> str:
    """Return the transcript of a command."""
    framer = EventFramer()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(spoken(pcm, language="en"))
        while data := connection.recv(2**16):
            framer.receive_data(data)
            for event in iter(framer.next_event, None):
                if event.type == "transcript":
                    return str(event.data["text"])
    raise ConnectionError("no transcript")


def a_home() -> FakeHomeAssistant:
    """Return a Home Assistant whose entities have the names of ``HOME``."""
    entities = [f"light.number_{number}" for number in range(len(HOME))]
    return FakeHomeAssistant(
        RESULTS
        | {
            "homeassistant/expose_entity/list": {
                "exposed_entities": {entity: {"conversation": True} for entity in entities}
            },
            "get_states": [
                {"entity_id": entity, "attributes": {"friendly_name": name}}
                for entity, name in zip(entities, HOME, strict=True)
            ],
            "config/entity_registry/get_entries": {},
        }
    )


@contextmanager
def server_with_names(**settings: object) -> Iterator[int]:
    """Serve Wyoming with the names of ``HOME``; give its port."""
    with (
        home_in_thread(a_home()) as home,
        wyoming_server(
            wyoming_home_assistant_url=home.url, wyoming_home_assistant_token=TOKEN, **settings
        ) as (command, port),
    ):
        until(lambda: '"event": "home_assistant_names"' in command.stderr, command)
        yield port


@contextmanager
def app_container(*, names: bool) -> Iterator[int]:
    """Run the app as the Supervisor does, with an option of its user; give its port."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "options.json").write_text(json.dumps({"names": names}))
        options = (
            *("--network=host", "--add-host=supervisor:127.0.0.1", f"--volume={folder}:/data"),
            *(f"--env=SUPERVISOR_TOKEN={TOKEN}", "--init"),
        )
        event = "home_assistant_names" if names else "ready"
        with (
            home_in_thread(a_home(), port=80),
            started(*options, IMAGES["home-assistant"]) as running,
        ):
            wait_until(lambda: f'"event": "{event}"' in running.logs(), event, APP_READY_S)
            yield APP_PORT


def names_in(text: str, names: Sequence[str]) -> int:
    return sum(name.casefold() in text.casefold() for name in names)


def measure_names(clips: Sequence[Clip]) -> Json:
    """Return the texts of speech with odd names, with and without a Home Assistant."""
    speech = [(text, names, say(text)) for text, names in NAMED_COMMANDS.items()]
    by_name = {clip.name: clip for clip in clips}
    speech += [(by_name[n].text, names, by_name[n].pcm) for n, names in NAMED_CLIPS.items()]
    rows: list[Json] = [
        {"said": text, "by": "synthetic voice" if text in NAMED_COMMANDS else "reader"}
        for text, _, _ in speech
    ]
    counts: Json = {"names": sum(len(names) for _, names, _ in speech)}
    others: Json = {}

    def transcribe(way: str, port: int) -> None:
        texts = [ask(port, pcm) for _, _, pcm in speech]
        for row, text in zip(rows, texts, strict=True):
            row[way] = text
        counts[way] = sum(
            names_in(text, names) for text, (_, names, _) in zip(texts, speech, strict=True)
        )
        rest = [clip for clip in clips if clip.name not in NAMED_CLIPS]
        texts = [ask(port, clip.pcm) for clip in rest]
        pairs = [*zip(rest, texts, strict=True)]
        errors = sum((word_errors(clip.text, text) for clip, text in pairs), Errors(0, 0, 0, 0))
        others[way] = {
            "words": errors.reference,
            "wrong": errors.total,
            "names_that_nobody_said": sum(
                names_in(text, HOME) - names_in(clip.text, HOME) for clip, text in pairs
            ),
        }

    with wyoming_server() as (_, port):
        transcribe("without names", port)
    with server_with_names() as port:
        transcribe("with names", port)
    return {"names_right": counts, "speech": rows, "read_clips_without_names": others}


def measure_ends() -> list[Json]:
    """Return what a client received that never ends its commands, and when.

    ``after_s`` is the time of the transcript after the last sample of the command, which has a
    little silence at its end.
    """
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        wyoming_server(wyoming_ends_commands=1) as (_, port),
    ):
        for text in NAMED_COMMANDS:
            path = Path(folder) / "command.wav"
            path.write_bytes(as_wav(say(text)))
            arguments = ("127.0.0.1", str(port), str(path))
            answer = json.loads(WYOMING.run(program("wyoming_command.py"), *arguments))
            after_s = answer["after_s"]
            rows.append({"said": text, "text": answer["text"], "after_s": round(after_s, 2)})
    return rows


def ask_entity(python: Path, port: int) -> Json:
    """Return what Home Assistant's own entity received for the commands."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(NAMED_COMMANDS):
            paths.append(str(Path(folder) / f"{number}.wav"))
            Path(paths[-1]).write_bytes(as_wav(say(text)))
        done = subprocess.run(
            [str(python), PROGRAMS / "home_assistant.py", "127.0.0.1", str(port), *paths],
            check=True,
            capture_output=True,
            text=True,
        )
    received: Json = json.loads(done.stdout.splitlines()[-1])
    texts = [each["text"] for each in received["results"]]
    right = sum(map(names_in, texts, NAMED_COMMANDS.values()))
    return received | {"names": len(NAMED_COMMANDS), "names_right": right}


def run_home_assistant(python: Path) -> Json:
    """Return what the entity received with each end of a command, without names and with them."""
    results: Json = {}
    for ends_commands in (0, 1):
        way = f"AURICLE_WYOMING_ENDS_COMMANDS={ends_commands}"
        with wyoming_server(wyoming_ends_commands=ends_commands) as (_, port):
            results[way] = ask_entity(python, port)
        with server_with_names(wyoming_ends_commands=ends_commands) as port:
            results[f"{way}, with names"] = ask_entity(python, port)
    return results


def run_app(python: Path) -> Json:
    """Return what the entity received from the app of the Supervisor."""
    results: Json = {}
    for way, names in (("without names", False), ("with names", True)):
        with app_container(names=names) as port:
            results[way] = ask_entity(python, port)
    return results


def main() -> None:
    parser = command_line(__doc__, "wyoming")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--home-assistant", type=Path, metavar="PYTHON")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    options = parser.parse_args()
    parts = options.only or PARTS[: None if options.home_assistant else -2]
    result = read_json(options.out)
    result.pop("machine", None)
    clips = [clip for clip in corpus(options.corpus) if clip.kind == READ]
    if "bench" in parts:
        result["wyoming_bench"] = {"version": WYOMING.version("wyoming-bench")} | {
            name: run_bench_of(clips, ends_commands=ends, options=bench)
            for name, (ends, bench) in BENCHES.items()
        }
    if "ends" in parts:
        result["ends"] = measure_ends()
    if "names" in parts:
        result["names"] = measure_names(clips)
    if "home-assistant" in parts:
        result["home_assistant"] = run_home_assistant(options.home_assistant)
    if "app" in parts:
        result["app"] = run_app(options.home_assistant)
    publish(options.out, result)


if __name__ == "__main__":
    main()
