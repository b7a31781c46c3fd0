import re

import pytest

from auricle.server.access.tokens import TokenSigner, check_time, is_token, reads
from auricle.values.errors import TokenExpired

pytestmark = pytest.mark.unit

NOW = 1_700_000_000.25
SIGNER = TokenSigner(b"hash of a key")
TOKEN = SIGNER.issue(NOW, 60)


def test_a_token_is_known_by_the_key_that_made_it_only() -> None:
    assert is_token(TOKEN)
    assert SIGNER.is_author(TOKEN)
    assert TokenSigner(b"hash of a key").is_author(TOKEN)
    assert not TokenSigner(b"hash of another").is_author(TOKEN)


def test_a_token_may_stand_in_a_subprotocol_and_in_an_address() -> None:
    assert re.fullmatch(r"tok1\.1700000061\.[0-9a-f]{16}\.[A-Za-z0-9_-]{43}", TOKEN)


def test_two_tokens_of_one_second_differ() -> None:
    assert SIGNER.issue(NOW, 60) != TOKEN


def test_no_character_of_a_token_can_be_changed() -> None:
    for at, character in enumerate(TOKEN):
        changed = TOKEN[:at] + ("A" if character != "A" else "B") + TOKEN[at + 1 :]
        assert not SIGNER.is_author(changed)
    for changed in (TOKEN[:-1], TOKEN + "=", "", ".", "tok1..", "é"):
        assert not SIGNER.is_author(changed)


def test_a_token_is_valid_for_the_requested_time() -> None:
    check_time(TOKEN, NOW + 60)
    with pytest.raises(TokenExpired):
        check_time(TOKEN, NOW + 61)


def test_a_reading_token_names_its_session_and_is_no_other_token() -> None:
    token = SIGNER.issue_reading("a-5e1a90c2", NOW, 60)
    assert re.fullmatch(r"tok2\.1700000061\.a-5e1a90c2\.[A-Za-z0-9_-]{43}", token)
    assert SIGNER.is_author(token)
    assert reads(token, "a-5e1a90c2")
    assert not reads(token, "a-5e1a90c3")
    assert not is_token(token)
    assert not reads(TOKEN, "")
    for time in ("", "x", "²", "1" * 16, "-1", "1 "):
        assert not reads(token.replace("1700000061", time), "a-5e1a90c2")
    assert check_time(token, NOW + 60) == 1_700_000_061
    with pytest.raises(TokenExpired):
        check_time(token, NOW + 61)
