"""A vocabulary as CSV."""

import pytest

from auricle.values.errors import BadRequest
from auricle.vocabularies.content import Content, Replacement, Term
from auricle.vocabularies.csv_format import decode, encode

pytestmark = pytest.mark.unit

NAMES = Content.of(
    [Term("Zyntrix", ("sin tricks", "zin tricks")), 'Smith, "Bo"', "Łódź", "term"],
    [Replacement("ok", "OK"), Replacement("okay", "OK"), Replacement("um", "")],
)


def test_csv_comes_back_as_it_was() -> None:
    assert decode(encode(NAMES)) == NAMES


def test_a_list_of_terms_is_csv() -> None:
    assert decode("\ufeffZyntrix\r\n\r\nLisbon Treaty\n") == Content.of(
        ["Zyntrix", "Lisbon Treaty"]
    )


def test_an_empty_file_is_an_empty_vocabulary() -> None:
    assert decode("") == decode(encode(Content())) == Content()


def test_a_list_keeps_commas_and_quotes() -> None:
    content = decode('Smith, John\n"Jones, Ann"\n"The Rock" Johnson\n')
    assert [each.term for each in content.terms] == [
        "Smith, John",
        "Jones, Ann",
        '"The Rock" Johnson',
    ]


def test_the_header_may_be_in_capitals() -> None:
    content = decode("Term, Sounds_Like, Replaces\nOK,,ok\n")
    assert content == Content.of([], [Replacement("ok", "OK")])


@pytest.mark.parametrize(
    "text",
    [
        'term;sounds_like;replaces\r\nZyntrix;"sin tricks;zin tricks";\r\nOK;;ok\r\n',
        "\ufeffterm\tsounds_like\treplaces\nZyntrix\tsin tricks;zin tricks\t\nOK\t\tok\n",
        "term,sounds_like,replaces\rZyntrix,sin tricks;zin tricks,\rOK,,ok\r",
        '"Term","Sounds_like","Replaces",,\nZyntrix,"sin tricks; zin tricks",,,\nOK,,ok,,\n',
    ],
    ids=["semicolons", "tabs", "carriage returns", "empty columns"],
)
def test_csv_of_spreadsheets_is_read(text: str) -> None:
    terms, changes = [Term("Zyntrix", ("sin tricks", "zin tricks"))], [Replacement("ok", "OK")]
    assert decode(text) == Content.of(terms, changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("term,sounds_like,replaces\na,b,,d", "line 2"),
        ("term,sounds_like,replaces\nOK,foo,ok", "line 2"),
        ('term,sounds_like\na\n"b', "line 3"),
        ('term,sounds_like\n"a"b', "line 2"),
        ("term;sounds_like;replaces\nZyntrix;sin tricks;zin tricks;", "line 2"),
        ("term;replaces;\nx;y", "columns"),
        ("a\x00b", "printable"),
        ("term,replaces\nx,y", "columns"),
        ("term,sounds_like\n" + "x" * 200_000, "line 2"),
    ],
)
def test_other_texts_are_refused_with_their_line(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode(text)
