"""The pages and their examples: they agree, and the examples do what the pages say."""

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import httpx2
import msgspec
import pytest

from auricle.apis.native.live import START_S
from auricle.apis.native.wire import stream as native
from auricle.apis.native.wire.stream import decode_command, decode_event, encode_event
from auricle.audio.endpointer import EndpointRules
from auricle.config.sections.live import LiveSettings
from auricle.server.live.outbox import MAX_EVENTS
from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from auricle.session.journal import MAX_FINALS
from auricle.session.live import MAX_UNFINISHED_SAMPLES
from auricle.session.wire_formats.opus import MAX_GAP_S
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import Event, WarningCode, Wire
from auricle.values.limits import MAX_MESSAGE_CHARACTERS, MAX_PACKET_BYTES
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ
from auricle.webhooks.request import (
    Payload,
    new_request,
    secret_of_owner,
    written_secret,
)
from tests.support.clips import CLIPS, words
from tests.support.command import LIMIT_S, ROOT, Command, serving
from tests.support.model import CACHE_DIR, bundled_model
from tests.support.poll import poll_until
from tests.support.tcp_proxy import proxy_to

pytestmark = pytest.mark.process

PROTOCOL = ROOT / "docs" / "reference" / "protocol.md"
EXAMPLES = ROOT / "docs" / "examples"
PAIR = CLIPS["pair.wav"]


def page() -> str:
    return PROTOCOL.read_text()


def blocks(kind: str, text: str | None = None) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page() if text is None else text, re.DOTALL)


def table(heading: str) -> dict[str, list[str]]:
    """Return the first table after a heading: each row's other cells by its first one."""
    part = page().split(f"{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)
    assert rows
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in rows.group().splitlines()[2:]
    ]
    return {row[0].strip("`| "): row[1:] for row in cells}


# The page.


def test_the_examples_on_the_page_are_the_files() -> None:
    printed = blocks("python")
    for name in ("stream.py", "live.py"):
        assert (EXAMPLES / name).read_text() in printed


def test_the_receiver_of_webhooks_on_the_page_is_the_file() -> None:
    http_api = (ROOT / "docs" / "reference" / "http-api.md").read_text()
    assert blocks("python", http_api) == [(EXAMPLES / "webhook.py").read_text()]


@pytest.mark.wall_clock
def test_the_receiver_of_webhooks_accepts_genuine_events_only(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = {"webhook_secret": "x" * 32, "webhook_allow_private": "1", "workers": 1}
    secret = written_secret(secret_of_owner(b"x" * 32, ANONYMOUS))
    receiver = subprocess.Popen(
        [sys.executable, EXAMPLES / "webhook.py", secret, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    callback = f"http://127.0.0.1:{port}/hook"
    try:
        with serving(tmp_path, **settings) as (_, url):
            answer = httpx2.post(
                f"{url}/utterance",
                params={"wait": "0", "job_id": "story", "callback_url": callback},
                content=PAIR.path.read_bytes(),
                headers={"content-type": "audio/wav"},
            )
            assert answer.status_code == 202, answer.text
            assert receiver.stdout
            assert receiver.stdout.readline().startswith("story done ")
        payload = Payload("POST", b'{"data": {}}')
        forged = new_request(
            callback, payload, event_id="e", secret=b"other", timestamp=int(time.time())
        )
        response = httpx2.post(callback, content=forged.body, headers=forged.headers)
        assert response.status_code == 400
    finally:
        receiver.kill()
        receiver.communicate()


def test_the_shortest_client_is_short() -> None:
    assert len((EXAMPLES / "stream.py").read_text().splitlines()) <= 36


def test_every_parameter_is_there_with_its_default() -> None:
    told = table("## Opening")
    assert set(told) == set(StreamParameters.__struct_fields__) | {"resume", "session", "waiter"}
    for name, default in msgspec.structs.asdict(StreamParameters()).items():
        value = {None: "none", "": "none", (): "none", True: "1", False: "0"}.get(
            default, str(default)
        )
        assert told[name][1].strip("`") == value.removesuffix(".0"), name
    assert [wire.value for wire in Wire] == re.findall(r"`(.*?)`", told["format"][0])


def test_every_command_is_there_and_can_be_read() -> None:
    shown = [decode_command(text) for text in re.findall(r"`(\{\"type\".*?\})`", page())]
    shown += [decode_command(text) for text in blocks("json") if '"type": "start"' in text]
    assert {type(command) for command in shown} == set(native.Command.__args__)


def test_every_event_is_there_field_by_field() -> None:
    shown: dict[type[Event], dict[str, object]] = {}
    for text in "".join(blocks("json")).splitlines():
        message = json.loads(text)
        if "type" in message and (event := decode_event(text)) is not None:
            shown[type(event)] = message
            assert set(json.loads(encode_event(event))) == set(message)
    assert set(shown) == set(Event.__args__)


def test_every_warning_is_there() -> None:
    codes = re.search(r"\| code \| meaning \|\n\|---\|---\|\n((?:\|.*\n)+)", page())
    assert codes
    assert re.findall(r"^\| `(\w+)`", codes.group(1), re.MULTILINE) == [
        c.value for c in WarningCode
    ]


def _errors(kind: type[AuricleError] = AuricleError) -> Iterator[type[AuricleError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _errors(child)


def test_every_close_code_is_that_of_its_errors() -> None:
    known = {(str(error.close_code), error.code) for error in _errors()}
    part = page().split("## Errors and close codes\n", 1)[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d{4}) \| (.*?) \|", part, re.MULTILINE)
    shown = {(close, code) for close, cell in rows for code in re.findall(r"`(\w+)`", cell)}
    assert shown
    assert shown <= known


def test_the_limits_are_those_of_the_code() -> None:
    told = {name: row[0] for name, row in table("## Limits").items()}
    live, rules = LiveSettings(), EndpointRules()
    assert told["binary message"] == "1 MiB"
    assert told["text message"] == f"{MAX_MESSAGE_CHARACTERS // 1024} KiB"
    assert told["connection without a byte"].startswith(f"{live.idle_timeout_s:g} s")
    assert f"for {live.resume_grace_s:g} s" in told["lost session"]
    assert told["sessions"].startswith(f"{live.max_sessions} ")
    assert MAX_MESSAGE_BYTES == 2**20
    assert told["Opus packet"].startswith(f"{MAX_PACKET_BYTES} bytes")
    assert told["first text message"] == f"within {START_S:g} s"
    assert told["finals that are not acknowledged"].startswith(f"{MAX_FINALS} ")
    assert told["results that wait to be read"].startswith(f"{MAX_EVENTS},")
    assert told["speech that waits for its finals"].startswith(
        f"{MAX_UNFINISHED_SAMPLES // SAMPLE_RATE_HZ} s"
    )
    assert (told["gap in numbers or positions"], MAX_GAP_S) == ("one hour", 3600)
    said = f"{rules.dip_ms} ms after {rules.soft_limit_s:g} s, and at {rules.hard_limit_s:g} s"
    assert said in told["an utterance"]


@pytest.mark.parametrize("name", ["stream.py", "resume.py"])
def test_an_example_needs_one_package_only(name: str) -> None:
    tree = ast.parse((EXAMPLES / name).read_text())
    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    foreign = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    assert foreign == {"websockets"}


PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    )
]


def anchors(text: str) -> set[str]:
    """Return what a link may name after ``#``: the headings, written as forges do."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target, place in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([^)]*))?\)", path.read_text()):
        there = path.parent / target if target else path
        assert there.exists(), target
        assert not place or place in anchors(there.read_text()), f"{target}#{place}"


def test_every_make_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(
            r"^make ([a-z0-9-]+)|`make ([a-z0-9-]+)", (ROOT / page).read_text(), re.MULTILINE
        )
        assert {first or second for first, second in named} <= targets, page


# The examples.


def run(name: str, clip: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), str(clip), url],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, str]]:
    with serving(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def lines(scripted: tuple[Command, str]) -> list[str]:
    """Return what the engine says of the pair's utterances."""
    done = run("stream.py", PAIR.path, scripted[1].replace("http", "ws"))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.wall_clock
async def test_the_example_that_resumes_loses_nothing_over_a_network_that_breaks(
    scripted: tuple[Command, str], lines: list[str]
) -> None:
    async with proxy_to(int(scripted[1].rsplit(":", 1)[1])) as proxy:

        def more_than(times: int) -> bool:
            return proxy.connections > times

        async def cut_now_and_then() -> None:
            for times in range(1, 3):
                proxy.cut_after_bytes = 60_000
                await poll_until(partial(more_than, times))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cut_now_and_then)
            url = proxy.url.replace("http", "ws")
            done = await anyio.to_thread.run_sync(run, "resume.py", PAIR.path, url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == lines
    assert done.stderr.count("lost: ") >= 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a process is killed")
@pytest.mark.wall_clock
def test_the_example_that_resumes_outlives_its_server(tmp_path: Path, lines: list[str]) -> None:
    with serving(tmp_path) as (first, url):
        port = int(url.rsplit(":", 1)[1])
        client = subprocess.Popen(
            [
                sys.executable,
                str(EXAMPLES / "resume.py"),
                str(PAIR.path),
                url.replace("http", "ws"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert client.stdout
        with client:
            told = [client.stdout.readline().strip()]
            first.process.kill()
            first.wait()
            with serving(tmp_path, port=port):
                rest, said = client.communicate(timeout=LIMIT_S)
    assert told + rest.splitlines() == lines
    assert "lost: " in said


@pytest.mark.model
@pytest.mark.slow
def test_the_examples_print_the_transcript(tmp_path: Path) -> None:
    bundled_model()
    [snippet] = blocks("python", (ROOT / "docs/tutorial.md").read_text())
    real = {
        "engine": "whisper",
        "model": "base",
        "cache_dir": CACHE_DIR,
    }
    with serving(tmp_path, **real) as (_, url):
        for name, address in (("stream.py", url.replace("http", "ws")), ("live.py", url)):
            done = run(name, PAIR.path, address)
            assert done.returncode == 0, done.stderr
            assert words(done.stdout) == words(PAIR.text), name
        assert "http://127.0.0.1:6007" in snippet
        program = snippet.replace("http://127.0.0.1:6007", url)
        told = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert words(told) == words(CLIPS["fellow.wav"].text)
