import pytest

from auricle.workers.process.stderr_tail import MAX_LINE_BYTES, MAX_LINES, StderrTail

pytestmark = pytest.mark.unit


def tail_of(*parts: bytes) -> StderrTail:
    tail = StderrTail()
    for part in parts:
        tail.receive_data(part)
    tail.receive_eof()
    return tail


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_are_the_same_however_they_are_split(size: int) -> None:
    output = "one\r\n\ntwö \n three".encode()
    tail = tail_of(*[output[at : at + size] for at in range(0, len(output), size)])
    assert list(tail) == ["one", "", "twö", " three"]
    assert tail.dropped_bytes == 0


def test_the_last_lines_of_a_part_are_kept_and_the_others_counted() -> None:
    lines = [f"line {number}" for number in range(1000)]
    tail = tail_of("\n".join(lines).encode())
    assert list(tail) == lines[-MAX_LINES:]
    assert tail.dropped_bytes == sum(len(line) + 1 for line in lines[: -MAX_LINES - 1])


def test_as_many_lines_as_are_kept_are_not_counted() -> None:
    tail = tail_of(b"x\n" * MAX_LINES)
    assert list(tail) == ["x"] * (MAX_LINES - 1) + [""]
    assert tail.dropped_bytes == 0


def test_a_long_line_is_cut_in_one_part_or_in_many() -> None:
    for parts in ([b"x" * 5000], [b"x"] * 5000, [b"x" * MAX_LINE_BYTES, b"x" * 3000]):
        tail = tail_of(*parts, b"\nnext")
        assert list(tail) == ["x" * MAX_LINE_BYTES, "next"]
        assert tail.dropped_bytes == 5000 - MAX_LINE_BYTES


def test_lines_can_be_forgotten() -> None:
    tail = StderrTail()
    tail.receive_data(b"one\ntwo")
    tail.clear()
    tail.receive_data(b" more\n")
    assert list(tail) == ["two more"]
