"""Mutations that keep a format's shape, so that most inputs get past its first check."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from fuzz.target import Blind, Mutate

_BLIND_SHARE = 0.15
"""Share of mutations that ignore the shape."""
_MAX_REPEATS = 40

_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    255,
    65_536,
    2**31,
    2**53,
    2**63,
    2**64,
    -(2**63) - 1,
    0.5,
    1e16,
    1e308,
    5e-324,
    "",
    "0",
    "é\u4e00\U0001f600",
    "\u0000",
    "x" * 300,
    [],
    {},
    [[]],
)


def blind(data: bytes, rng: Random, change: Blind) -> bytes:
    """Leave it to the fuzzer."""
    return change(data)


@dataclass(frozen=True, slots=True)
class Grammar:
    """A format whose data are records one after another.

    Attributes:
        split: Parts data, good or bad, into records; never fails.
        join: Makes data of records again, with right lengths and checksums.
        change: Mutates one record.
        spare: Records to put in.
    """

    split: Callable[[bytes], list[bytes]]
    join: Callable[[Sequence[bytes]], bytes]
    change: Mutate = blind
    spare: tuple[bytes, ...] = ()

    def mutate(self, data: bytes, rng: Random, change: Blind) -> bytes:
        """Change, drop, repeat, move or add records."""
        if rng.random() < _BLIND_SHARE:
            return change(data)
        records = self.split(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            self._step(records, rng, change)
        return self.join(records)

    def _step(self, records: list[bytes], rng: Random, change: Blind) -> None:
        choice = rng.randrange(8)
        if not records or choice == 0:
            spare = self.spare or records
            record = rng.choice(spare) if spare else change(b"")
            records.insert(rng.randint(0, len(records)), record)
            return
        at = rng.randrange(len(records))
        match choice:
            case 1:
                del records[at]
            case 2:
                records[at:at] = [records[at]] * rng.choice((1, 1, 2, _MAX_REPEATS))
            case 3:
                other = rng.randrange(len(records))
                records[at], records[other] = records[other], records[at]
            case _:
                records[at] = self.change(records[at], rng, change)


def json_mutation(words: Sequence[str]) -> Mutate:
    """Return a mutation of JSON texts; ``words`` are names and values that mean something."""

    def mutate(data: bytes, rng: Random, change: Blind) -> bytes:
        if rng.random() < _BLIND_SHARE:
            return change(data)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return change(data)
        changed = changed_document(document, rng, words)
        return json.dumps(changed, ensure_ascii=rng.random() < 0.3).encode("utf-8", "replace")

    return mutate


def changed_document(node: Any, rng: Random, words: Sequence[str]) -> Any:
    """Return a document of lists, dicts and scalars with something in it changed."""
    if isinstance(node, dict):
        return _changed_object(dict(node), rng, words)
    if isinstance(node, list | tuple) and rng.random() < 0.9:
        return _changed_array(list(node), rng, words)
    return _value(node, rng, words)


def _changed_object(node: dict[Any, Any], rng: Random, words: Sequence[str]) -> Any:
    keys = list(node)
    choice = rng.randrange(10)
    if choice == 0:
        return _value(node, rng, words)
    if not keys or choice <= 2:
        node[rng.choice(words) if words else "x"] = _value(None, rng, words)
        return node
    key = rng.choice(keys)
    if choice == 3:
        del node[key]
    elif choice == 4 and words:
        node[rng.choice(words)] = node.pop(key)
    else:
        node[key] = changed_document(node[key], rng, words)
    return node


def _changed_array(node: list[Any], rng: Random, words: Sequence[str]) -> Any:
    choice = rng.randrange(8)
    if not node or choice == 0:
        node.append(_value(None, rng, words))
        return node
    at = rng.randrange(len(node))
    if choice == 1:
        del node[at]
    elif choice == 2:
        node[at:at] = [node[at]] * rng.choice((1, 2, _MAX_REPEATS))
    else:
        node[at] = changed_document(node[at], rng, words)
    return node


def _value(old: Any, rng: Random, words: Sequence[str]) -> Any:
    choice = rng.randrange(6)
    if choice <= 1 and words:
        return rng.choice(words)
    if choice == 2:
        return rng.randint(-5, 5000)
    if choice == 3 and isinstance(old, str):
        at = rng.randint(0, len(old))
        return old[:at] + chr(rng.choice((0, 32, 34, 92, 233, 0x4E00, 0x1F600))) + old[at:]
    if choice == 4 and isinstance(old, int | float) and abs(old) < 2**70:
        return old * rng.choice((-1, 2, 10)) + rng.choice((-1, 0, 1, 0.5))
    return rng.choice(_VALUES)


def tagged(mutations: Sequence[Mutate]) -> Mutate:
    """Return the mutation of inputs whose first byte says what the rest is."""

    def mutate(data: bytes, rng: Random, change: Blind) -> bytes:
        if not data or rng.random() < _BLIND_SHARE / 3:
            return change(data)
        return data[:1] + mutations[data[0] % len(mutations)](data[1:], rng, change)

    return mutate


def query_mutation(words: Sequence[str]) -> Mutate:
    """Return a mutation of queries, ``name=value&name=value``."""
    values = (*words, "", "true", "false", "1", "-1", "0.5", "nan", "inf", "1e309", "9" * 30, "٣")

    def change_pair(data: bytes, rng: Random, change: Blind) -> bytes:
        name, _, value = data.partition(b"=")
        match rng.randrange(4):
            case 0:
                name = rng.choice(words).encode()
            case 1:
                value = change(value).replace(b"&", b"")
            case _:
                value = rng.choice(values).encode()
        return name + b"=" + value

    spare = tuple(f"{word}=".encode() for word in words)
    return Grammar(lambda data: data.split(b"&"), b"&".join, change_pair, spare).mutate


def script_mutation(
    split: Callable[[bytes], list[bytes]],
    join: Callable[[Sequence[bytes]], bytes],
    changes: Sequence[Mutate],
    spare: tuple[bytes, ...],
) -> Mutate:
    """Return a mutation of scripts: each step's first byte says which of ``changes`` fits it."""
    return Grammar(split, join, tagged(changes), spare).mutate
