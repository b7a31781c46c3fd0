import pytest
from starlette.datastructures import Headers

from auricle.server.access.key_style import KeyStyle

pytestmark = pytest.mark.unit

FIRST = KeyStyle(schemes=("token",), introductions=("token",), token_prefixes=("ek_",))
SECOND = KeyStyle(headers=("x-key",), subprotocols=("key.",))
BOTH = KeyStyle.all_of([FIRST, SECOND])


@pytest.mark.parametrize(
    ("headers", "of_none", "of_both"),
    [
        ({"authorization": "Bearer secret"}, "secret", "secret"),
        ({"authorization": "bearer  secret"}, "secret", "secret"),
        ({"authorization": "Token secret"}, "", "secret"),
        ({"authorization": "Bearer "}, "", ""),
        ({"authorization": "secret"}, "", ""),
        ({"x-key": " secret "}, "", "secret"),
        ({"authorization": "Bearer a", "x-key": "b"}, "a", "a"),
        ({"authorization": "Basic a", "x-key": "b"}, "", "b"),
    ],
)
def test_a_header_carries_a_key_in_the_style_of_an_api(
    headers: dict[str, str], of_none: str, of_both: str
) -> None:
    assert KeyStyle().presented(Headers(headers)) == of_none
    assert BOTH.presented(Headers(headers)) == of_both


@pytest.mark.parametrize(
    ("offered", "key"),
    [
        (["auricle", "key.secret"], "secret"),
        (["Token", "secret"], "secret"),
        (["token"], ""),
        (["other", "secret"], ""),
    ],
)
def test_a_subprotocol_carries_a_key(offered: list[str], key: str) -> None:
    assert BOTH.presented(Headers({}), offered) == key
    assert KeyStyle().presented(Headers({}), offered) == ""


def test_a_token_may_have_a_prefix_and_options() -> None:
    assert BOTH.token_of("ek_tok1.abc~options") == "tok1.abc"
    assert SECOND.token_of("ek_tok1.abc") == "ek_tok1.abc"
