"""Open Home Assistant's WebSocket API and read the names.

The operator chooses the URL, so private addresses are allowed. The token is sent to this URL only:
redirects and proxies are not followed.
"""

import ssl
from urllib.parse import urlsplit

import anyio
from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode

from auricle.apis.wyoming.home_assistant.messages import NamesConversation
from auricle.values.errors import SetupError

PATH = "/api/websocket"
LIMIT_S = 10.0
"""Maximum time for the whole conversation, in seconds."""
MAX_MESSAGE_BYTES = 2**24
"""The states of a thousand entities have about a megabyte."""


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def websocket_url(url: str) -> str:
    """Return the URL of the WebSocket API of a Home Assistant, from its http(s) URL.

    Raises:
        ValueError: The URL is invalid.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}[parts.scheme]
    return parts._replace(scheme=scheme, path=parts.path.rstrip("/") + PATH).geturl()


async def read_names(url: str, token: str) -> tuple[str, ...]:
    """Return the names of a Home Assistant, the most important ones first.

    Args:
        url: Its http(s) URL.
        token: A long-lived access token.

    Raises:
        SetupError: It can't be reached, or does not answer as expected; the message has neither the
            token nor text that was received.
    """
    conversation = NamesConversation(token)
    try:
        with anyio.fail_after(LIMIT_S):
            async with _Connect(
                websocket_url(url), proxy=None, compression=None, max_size=MAX_MESSAGE_BYTES
            ) as socket:
                while conversation.names is None:
                    reply = conversation.receive(await socket.recv())
                    if reply is not None:
                        await socket.send(reply, text=True)
    except TimeoutError:
        raise SetupError(f"Home Assistant has not answered within {LIMIT_S:g} s.") from None
    except ssl.SSLError:
        raise SetupError("Home Assistant's certificate can't be verified.") from None
    except OSError:
        raise SetupError("Home Assistant can't be reached.") from None
    except InvalidHandshake:
        raise SetupError("This URL has no WebSocket API of Home Assistant.") from None
    except (InvalidURI, ValueError):  # a host name that IDNA rejects, for example
        raise SetupError("The URL of Home Assistant is invalid.") from None
    except ConnectionClosed as error:
        if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
            raise SetupError(
                f"Home Assistant has sent more than {MAX_MESSAGE_BYTES} bytes at once."
            ) from None
        raise SetupError("Home Assistant has closed the connection.") from None
    except (WebSocketException, EOFError):
        raise SetupError("Home Assistant has closed the connection.") from None
    return conversation.names
