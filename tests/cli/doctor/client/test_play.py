"""Speech over a connection: text, ends and failures."""

from collections.abc import Sequence

import anyio
import pytest

from auricle.cli.doctor.client.play import Played, chunks_of, play

pytestmark = pytest.mark.unit

CHUNK_S = 0.001


class Script:
    """Sends `open`, the audio and `end`; `done` completes it."""

    def __init__(self) -> None:
        self.text = ""
        self.is_complete = self.ends_itself = False
        self.failure = ""

    def opening(self) -> Sequence[str | bytes]:
        return ("open",)

    def audio(self, pcm: bytes) -> str | bytes:
        return pcm

    def ending(self) -> Sequence[str | bytes]:
        self.is_complete = self.ends_itself
        return ("end",)

    def receive(self, message: str | bytes) -> None:
        match message:
            case "done":
                self.is_complete = True
            case "fail":
                self.failure = "it failed"
            case "unreadable":
                raise ValueError("The response is not JSON.")
            case str():
                self.text += message


class Server:
    """Answers the end of the audio with messages; ``None`` closes the connection."""

    closing_reason = ""

    def __init__(self, *answers: str | None) -> None:
        self.received: list[str | bytes] = []
        self.headers: dict[str, str] = {}
        self._answers = list(answers)
        self._has_ended = anyio.Event()

    async def send(self, message: str | bytes) -> None:
        self.received.append(message)
        if message == "end":
            self._has_ended.set()

    async def receive(self) -> str | bytes | None:
        await self._has_ended.wait()
        if not self._answers:
            await anyio.sleep_forever()
        return self._answers.pop(0)

    async def aclose(self) -> None:
        pass


async def played(server: Server, end_s: float = 30.0) -> Played:
    return await play(server, Script(), [b"a", b"b", b"c"], CHUNK_S, 2 * CHUNK_S, end_s)


async def test_everything_is_sent_in_order_and_the_text_is_returned() -> None:
    server = Server("Good ", "day.", "done")
    result = await played(server)
    assert server.received == ["open", b"a", b"b", b"c", "end"]
    assert (result.text, result.problem) == ("Good day.", "")
    assert result.delay_s > 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("fail", "it failed"),
        ("unreadable", "The response is not JSON."),
        (None, "the server closed the connection"),
    ],
)
async def test_a_failure_ends_it(answer: str | None, problem: str) -> None:
    assert (await played(Server("Good ", answer))).problem == problem


@pytest.mark.parametrize("is_complete", [True, False])
async def test_a_program_may_wait_until_the_server_closes(is_complete: bool) -> None:
    script = Script()
    script.ends_itself = is_complete
    server = Server("Good ", "day.", None)
    result = await play(server, script, [b"a"], CHUNK_S, CHUNK_S, 30.0, ends_by_close=True)
    assert result.text == "Good day."
    assert result.problem == ("" if is_complete else "the server closed the connection")


async def test_a_reason_of_the_server_is_shown() -> None:
    server = Server(None)
    server.closing_reason = "going away (1001)"
    assert (await played(server)).problem == "the server closed the connection: going away (1001)"


async def test_a_server_that_never_answers() -> None:
    assert (await played(Server("Good "), end_s=0.01)).problem == "the server does not answer"


def test_samples_are_cut_into_chunks() -> None:
    assert chunks_of(b"abcde", 2) == [b"ab", b"cd", b"e"]
