"""The ways through the server are counted as the documentation says."""

from pathlib import Path

import pytest

from research.ways.picture import draw
from research.ways.trace import between, read, way_of

pytestmark = pytest.mark.unit

TRACE = """\
10 7 call - server.a:read
11 7 call server.a:read server.b:watch
20 7 call - server.a:read
30 8 call session.c:decode audio.d:decode
25 7 call server.a:read session.c:receive
26 7 buffer session.c:receive append
27 7 buffer session.c:receive append
40 7 value session.c:receive values.e:Job
41 7 call session.c:receive server.a:send
42 7 call session.c:receive server.a:send
43 7 resume - server.b:watch
"""


def test_a_step_counts_once_and_what_an_idle_server_does_never(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text(TRACE)
    steps = read(path)
    way = way_of(between(steps, (20, 100)), idle=between(steps, (0, 20)))
    assert way.figures == {
        "modules": 4,
        "calls": 3,
        "returns": 1,
        "buffers": 1,
        "repackagings": 1,
    }
    assert way.modules == ["server.a", "session.c", "audio.d", "server.b"]
    draw(tmp_path / "way.svg", "A way", way)
    assert "session.c:receive → server.a:send" in (tmp_path / "way.svg").read_text()
