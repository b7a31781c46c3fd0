"""English speech with another language at this API: the text is English, and it is reported."""

import socket

from tests.apis.real_server import SPOKEN_LIVE, UTTERANCE, Server, check_warning
from tests.apis.wyoming.service import read, spoken
from tests.support.clips import words
from tests.support.command import LIMIT_S


async def check(server: Server) -> None:
    address = ("127.0.0.1", server.port_of("wyoming"))
    with socket.create_connection(address, timeout=LIMIT_S) as connection:
        connection.sendall(spoken(UTTERANCE.pcm, language="ja"))
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    (transcript,) = [event.data for event in read(received) if event.type == "transcript"]
    assert (words(transcript["text"]), transcript["language"]) == (SPOKEN_LIVE, "en")
    check_warning(transcript["warnings"][0], "ja")


CHECKS = (check,)
