import anyio
import pytest
from structlog.testing import LogCapture

from auricle.apis.wyoming.home_assistant import names as module
from auricle.apis.wyoming.home_assistant.names import HomeAssistantNames
from auricle.values.errors import SetupError
from tests.support.poll import poll_until

pytestmark = pytest.mark.unit

GONE, WRONG = SetupError("It is gone."), SetupError("The token is wrong.")
Outcome = tuple[str, ...] | Exception


class Home:
    """Reads that succeed or fail as they are listed; the last one is repeated."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.reads = 0
        self._outcomes = outcomes

    async def read(self) -> tuple[str, ...]:
        outcome = self._outcomes[min(self.reads, len(self._outcomes) - 1)]
        self.reads += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.0)
    monkeypatch.setattr(module, "RETRY_S", 0.0)


async def follow(*outcomes: Outcome) -> HomeAssistantNames:
    """Follow a home until each outcome was there, and the last one twice."""
    home = Home(*outcomes)
    names = HomeAssistantNames(home.read)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(names.follow)
        await poll_until(lambda: home.reads > len(outcomes) + 1)
        tasks.cancel_scope.cancel()
    return names


def said(logged: LogCapture) -> list[tuple[object, object]]:
    return [(e["log_level"], e.get("names", e.get("message"))) for e in logged.entries]


async def test_names_are_there_after_a_read_and_replaced_by_the_next(logged: LogCapture) -> None:
    names = await follow(("Lamp",), ("Lamp", "Bath"))
    assert names.current == ("Lamp", "Bath")
    assert said(logged) == [("info", 1), ("info", 2)]


async def test_a_failure_is_in_the_log_once_and_so_is_its_end(logged: LogCapture) -> None:
    names = await follow(GONE, GONE, GONE, ("Lamp",), ("Lamp",), GONE, ("Lamp",))
    assert names.current == ("Lamp",)
    gone = ("warning", "It is gone.")
    assert said(logged) == [gone, ("info", 1), gone, ("info", 1)]


async def test_another_failure_is_in_the_log_too(logged: LogCapture) -> None:
    await follow(GONE, WRONG, WRONG)
    assert [message for _, message in said(logged)] == ["It is gone.", "The token is wrong."]


async def test_names_are_kept_while_home_assistant_is_away(logged: LogCapture) -> None:
    assert (await follow(("Lamp",), GONE)).current == ("Lamp",)


async def test_an_unexpected_error_does_not_end_the_server(logged: LogCapture) -> None:
    error = UnicodeError("label too long: a-secret")
    assert (await follow(("Lamp",), error, error, ("Bath",))).current == ("Bath",)
    assert [e["event"] for e in logged.entries] == [
        "home_assistant_names",
        "unexpected_error",
        "home_assistant_names",
    ]
    assert "a-secret" not in str(logged.entries)
