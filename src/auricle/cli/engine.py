"""What recognises speech for a server: :class:`Engine`."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auricle.values.transcriber import EngineTranscriber

if TYPE_CHECKING:
    from auricle.engines.models import Models
    from auricle.server.live.admission.memory import Machine


async def _do_nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """A transcriber that has not been started.

    Attributes:
        transcriber: Owned by the caller.
        models: Its models.
        summary: Describes what it is starting, for the terminal.
        facts: The same as fields for the log.
        machine: What its capacity of live speech depends on.
        model: Name of the requested model; empty if only the recognisers know it.
        is_remote: Whether other machines recognise, with other settings.
        reload: Replaces the models whose files have changed, if they are here.
        watch: Runs while the server does, and warns the operator.
    """

    transcriber: EngineTranscriber
    models: "Models"
    summary: str
    facts: Mapping[str, object]
    machine: "Machine"
    model: str = ""
    is_remote: bool = False
    reload: Callable[[], Coroutine[Any, Any, None]] = _do_nothing
    watch: Callable[[], Coroutine[Any, Any, None]] = _do_nothing
