"""Read the names of a Home Assistant over its WebSocket API. No I/O.

::

    ← auth_required                                 → auth, with the token
    ← auth_ok                                       → homeassistant/expose_entity/list
    ← result: what voice assistants may use         → get_states
    ← result: the names that Home Assistant shows   → config/entity_registry/get_entries
    ← result: aliases                               → config/floor_registry/list
    ← result: floors                                → config/area_registry/list
    ← result: areas

Only entities that are exposed to voice assistants have names here. A token without administrator
rights can't read which these are; then all entities count as exposed. Floors and aliases are left
out if a version of Home Assistant does not know the command.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from auricle.values.errors import SetupError
from auricle.values.limits import MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS

ASSISTANT = "conversation"
"""Home Assistant's own voice assistant, among those that entities are exposed to."""
SPOKEN_DOMAINS = frozenset(
    {"light", "switch", "fan", "cover", "climate", "media_player", "scene", "script", "vacuum"}
    | {"lock", "todo", "input_boolean", "humidifier", "valve", "water_heater", "lawn_mower"}
)
"""Domains of entities that are called by their names. Others, such as sensors, are many, and are
usually asked for by their room."""

_Result = TypeVar("_Result")


class _Message(msgspec.Struct, frozen=True):
    type: str
    id: int | None = None
    success: bool = False
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Exposed(msgspec.Struct, frozen=True):
    exposed_entities: dict[str, dict[str, Any]] = {}


class _Attributes(msgspec.Struct, frozen=True):
    friendly_name: Any = None


class _State(msgspec.Struct, frozen=True):
    entity_id: str
    attributes: _Attributes = _Attributes()


class _Named(msgspec.Struct, frozen=True):
    """A floor, an area, or an entry of the registry of entities."""

    name: Any = None
    aliases: Sequence[Any] | None = None

    @property
    def names(self) -> list[Any]:
        return [self.name, *(self.aliases or ())]


def speakable(names: Iterable[Any]) -> tuple[str, ...]:
    """Return the names that can be hot words: each once, within the limits on length and number.

    Spaces are collapsed, and control characters dropped.
    """
    found: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str):
            continue
        printed = (c for c in name if c.isspace() or not unicodedata.category(c).startswith("C"))
        clean = " ".join("".join(printed).split())
        if 0 < len(clean) <= MAX_HOTWORD_CHARACTERS:
            found.setdefault(clean.casefold(), clean)
            if len(found) == MAX_HOTWORDS:
                break
    return tuple(found.values())


class NamesConversation:
    """The conversation with a Home Assistant that reads its names.

    Args:
        token: A long-lived access token.

    Attributes:
        names: The names, the most important ones first; ``None`` until the conversation is over.
    """

    def __init__(self, token: str) -> None:
        self.names: tuple[str, ...] | None = None
        self._token = token
        self._steps = iter(
            (
                ("homeassistant/expose_entity/list", self._receive_exposed),
                ("get_states", self._receive_states),
                ("config/entity_registry/get_entries", self._receive_entries),
                ("config/floor_registry/list", self._receive_places),
                ("config/area_registry/list", self._receive_places),
            )
        )
        self._receive_result = self._receive_exposed
        self._command_id = 0
        self._exposed: frozenset[str] | None = None
        self._entities: dict[str, list[Any]] = {}
        self._places: list[Any] = []

    def receive(self, data: bytes | str) -> bytes | None:
        """Receive a message; return the next one to send, if any.

        Raises:
            SetupError: Home Assistant rejects the token, or this is not its API.
        """
        message = _decoded(data, _Message)
        match message.type:
            case "auth_required":
                return msgspec.json.encode({"type": "auth", "access_token": self._token})
            case "auth_invalid":
                raise SetupError("Home Assistant rejects the access token.")
            case "auth_ok":
                return self._next_command()
            case "result" if message.id == self._command_id:
                self._receive_result(message.result if message.success else None)
                return self._next_command()
            case _:
                return None

    def _next_command(self) -> bytes | None:
        step = next(self._steps, None)
        if step is None:
            self.names = self._all_names()
            return None
        command, self._receive_result = step
        self._command_id += 1
        arguments = (
            {"entity_ids": sorted(self._entities)} if command.endswith("get_entries") else {}
        )
        return msgspec.json.encode({"id": self._command_id, "type": command, **arguments})

    def _receive_exposed(self, result: msgspec.Raw | None) -> None:
        if result is not None:
            entities = _decoded(result, _Exposed).exposed_entities
            self._exposed = frozenset(
                entity for entity, assistants in entities.items() if assistants.get(ASSISTANT)
            )

    def _receive_states(self, result: msgspec.Raw | None) -> None:
        if result is None:
            raise SetupError("Home Assistant does not let this token read its entities.")
        for state in _decoded(result, list[_State]):
            if self._exposed is None or state.entity_id in self._exposed:
                self._entities[state.entity_id] = [state.attributes.friendly_name]

    def _receive_entries(self, result: msgspec.Raw | None) -> None:
        if result is not None:
            for entity, entry in _decoded(result, dict[str, _Named | None]).items():
                if entry is not None and entity in self._entities:
                    self._entities[entity] += entry.names[1:]

    def _receive_places(self, result: msgspec.Raw | None) -> None:
        if result is not None:
            for place in _decoded(result, list[_Named]):
                self._places += place.names

    def _all_names(self) -> tuple[str, ...]:
        """Return the names of floors and rooms, of entities that are called by name, of others."""
        entities = sorted(self._entities, key=lambda entity: (not _is_spoken(entity), entity))
        return speakable(
            [*self._places, *(name for entity in entities for name in self._entities[entity])]
        )


def _is_spoken(entity: str) -> bool:
    return entity.partition(".")[0] in SPOKEN_DOMAINS


def _decoded(data: bytes | str | msgspec.Raw, type: type[_Result]) -> _Result:
    try:
        return msgspec.json.decode(data, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SetupError("This is not Home Assistant's WebSocket API.") from None
