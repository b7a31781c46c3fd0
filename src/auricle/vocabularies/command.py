"""``auricle vocabulary``: the names and words that a server expects for a key."""

import codecs
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from auricle.cli.support.console import errors, results
from auricle.cli.support.server_commands import (
    ApiKey,
    AsJson,
    Output,
    ServerUrl,
    delete_each,
    local_time,
    open_server,
    print_or_write,
)
from auricle.values.errors import SetupError
from auricle.vocabularies import csv_format

_PATH = ("v1", "vocabularies")
MAX_FILE_BYTES = 4_000_000

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the vocabulary.")]
_Terms = Annotated[list[str], typer.Argument(metavar="TERM…", help="Names or words.")]
_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV, or a list with a term in each line; -: stdin.")
]
_IsDefault = Annotated[
    bool, typer.Option("--default", help="Use it for all requests of the key that name none.")
]
_AsCsv = Annotated[bool, typer.Option("--csv", help="Print it as CSV, with sounds-like spellings.")]


def list_(as_json: AsJson = False, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """List the vocabularies of your key; * marks the default one."""
    with open_server(url, api_key) as server:
        found = server.document("GET", *_PATH)["vocabularies"]
    for each in found:
        if as_json:
            typer.echo(json.dumps(each, ensure_ascii=False))
            continue
        mark = "*" if each["default"] else " "
        counts = f"{each['term_count']} terms, {each['replacement_count']} replacements"
        results.print(f"{mark} {each['name']}  {counts}, {local_time(each['changed_at'])}")


def show(
    name: _Name,
    as_csv: _AsCsv = False,
    output: Output = None,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Print the terms of a vocabulary, one in each line, or all of it as CSV."""
    with open_server(url, api_key) as server:
        if as_csv:
            text = server.send("GET", *_PATH, name, query={"format": "csv"}).decode()
        else:
            terms = server.document("GET", *_PATH, name)["terms"]
            text = "".join(f"{each['term']}\n" for each in terms)
    print_or_write(text, output)


def set_(
    name: _Name,
    file: _File,
    is_default: _IsDefault = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Store a vocabulary; it replaces one of the same name.

    CSV has the columns [bold]term,sounds_like,replaces[/], whose lists are separated by semicolons.
    [bold]auricle vocabulary show NAME --csv[/] prints it.
    """
    content = csv_format.decode(_text_of(file))
    body = {
        "terms": msgspec.to_builtins(content.terms),
        "replacements": msgspec.to_builtins(content.replacements),
    }
    _change(name, "PUT", body, is_default, url, api_key)


def add(
    name: _Name,
    terms: _Terms,
    is_default: _IsDefault = False,
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Add terms to a vocabulary, and create it if it does not exist."""
    _change(name, "PATCH", {"add": terms}, is_default, url, api_key)


def remove(name: _Name, terms: _Terms, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Remove terms from a vocabulary."""
    _change(name, "PATCH", {"remove": terms}, False, url, api_key)


def default(name: _Name, url: ServerUrl = None, api_key: ApiKey = None) -> None:
    """Use a vocabulary for all requests of the key that name none."""
    with open_server(url, api_key) as server:
        server.document("GET", *_PATH, name)  # a typing error creates no vocabulary
    _change(name, "PATCH", {}, True, url, api_key)


def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of the vocabularies.")],
    url: ServerUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Delete vocabularies from the server; this can't be undone."""
    with open_server(url, api_key) as server:
        delete_each(server, names, *_PATH)


def _change(
    name: str,
    method: str,
    body: dict[str, Any],
    is_default: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    if is_default:
        body |= {"default": True}
    with open_server(url, api_key) as server:
        stored = server.document(method, *_PATH, name, json=body)
    mark = ", the default one" if stored["default"] else ""
    errors.print(f"{name} has {stored['term_count']} terms{mark}.")


def _text_of(file: Path) -> str:
    """Return the text of a file: in UTF-8, or in UTF-16 as Windows PowerShell and Excel write it.

    Raises:
        SetupError: It can't be read, is not text, or is too large.
    """
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise SetupError(f"{file} is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if is_utf_16 else "utf-8")
    except OSError as error:
        raise SetupError(f"{file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{file} is not UTF-8 text; save it as CSV UTF-8.") from error
