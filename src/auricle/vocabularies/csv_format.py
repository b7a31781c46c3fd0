"""A vocabulary as CSV: ``term,sounds_like,replaces``, the lists separated by semicolons.

A line with ``replaces`` is a replacement of these texts by ``term``. Columns may be separated by
semicolons or tabs, too, as spreadsheets of many countries do; a list in a cell is then quoted. Text
without that header is a list with one term per line, commas and all.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator

from auricle.values.errors import BadRequest
from auricle.vocabularies.content import SEPARATOR, Content, Replacement, Term

HEADER = ("term", "sounds_like", "replaces")
MEDIA_TYPE = "text/csv"
_DELIMITERS = ",;\t"


def encode(content: Content) -> str:
    """Return a vocabulary as CSV."""
    replaced: dict[str, list[str]] = defaultdict(list)
    for each in content.replacements:
        replaced[each.to].append(each.old)
    file = io.StringIO(newline="")
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(HEADER)
    rows.writerows((each.term, SEPARATOR.join(each.sounds_like), "") for each in content.terms)
    rows.writerows((to, "", SEPARATOR.join(texts)) for to, texts in replaced.items())
    return file.getvalue()


def decode(text: str) -> Content:
    """Return the vocabulary of CSV, or of a list.

    Raises:
        BadRequest: A line has other columns, or a text is not valid.
    """
    text = text.removeprefix("\ufeff")
    lines = text.splitlines() or [""]
    first = lines[0].lower().replace(" ", "").replace('"', "")
    delimiter = next((each for each in _DELIMITERS if each in first), ",")
    columns = first.rstrip(delimiter).split(delimiter)
    if columns != [*HEADER][: len(columns)]:
        if columns[0] == HEADER[0]:
            raise BadRequest(f"CSV: the columns are {', '.join(HEADER)}.")
        return Content.of(_unquoted(line) for each in lines if (line := each.strip()))
    terms: list[Term] = []
    replacements: list[Replacement] = []
    for number, row in _rows(text, delimiter):
        cells = [*row, "", "", ""]
        term, spellings, replaced = (cell.strip() for cell in cells[: len(HEADER)])
        if any(cells[len(HEADER) :]) or (spellings and replaced):
            raise BadRequest(
                f"CSV, line {number}: expected {HEADER[0]}, and {HEADER[1]} or {HEADER[2]}."
            )
        if replaced:
            replacements += (Replacement(old, term) for old in _parts(replaced))
        elif term:
            terms.append(Term(term, tuple(_parts(spellings))))
    return Content.of(terms, replacements)


def _unquoted(line: str) -> str:
    is_quoted = len(line) > 1 and line[0] == line[-1] == '"'
    return line[1:-1].replace('""', '"') if is_quoted else line


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines after the header, with their numbers."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(rows, None)
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise BadRequest(f"CSV, line {rows.line_num}: {error}.") from error


def _parts(cell: str) -> list[str]:
    return [part for each in cell.split(SEPARATOR) if (part := each.strip())]
