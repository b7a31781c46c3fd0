"""Hide private numbers and addresses in a transcript.

What is hidden is found by its pattern and check digits, not by a model:

==========  ======================================================================================
``pci``     Cards (13 to 19 digits by Luhn's check, ISO/IEC 7812-1), IBANs (ISO 13616), and what
            follows "security code" or "expires".
``ssn``     Social Security numbers of nine digits, and numbers after "Social Security" or "SSN".
``phone``   Phone numbers of North America (NANP), and of all countries with ``+``, ``00`` or a
            leading 0.
``email``   E-mail addresses, also if they were spelled: "jane dot doe at example dot com".
``numbers`` Every number of three or more digits.
==========  ======================================================================================

Recognisers mishear digits, and one wrong digit breaks a check. So a number that is long enough is
hidden in any case (``LONG_DIGITS``), without a name for it.

Numbers may be written in digits or in English words, with pauses, commas and "um" within them. If a
number matches, all digits around it are hidden, too: the date and the code after a card.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from auricle.text.edits import Edit, Token, core, edit_of, tokens_of
from auricle.text.spoken_numbers import Number, numbers_in
from auricle.values.types import Redact

NUMERIC = frozenset({Redact.PCI, Redact.SSN, Redact.PHONE, Redact.NUMBERS})

CARD, EXPIRATION, CVV = "[CREDIT_CARD]", "[CREDIT_CARD_EXPIRATION]", "[CVV]"
BANK_ACCOUNT, SSN, PHONE = "[BANK_ACCOUNT]", "[SSN]", "[PHONE_NUMBER]"
EMAIL, NUMBER = "[EMAIL_ADDRESS]", "[NUMBER]"
PLACEHOLDERS = frozenset({CARD, EXPIRATION, CVV, BANK_ACCOUNT, SSN, PHONE, EMAIL, NUMBER})

MIN_HIDDEN_DIGITS = 3
"""The shortest number that any rule hides."""
MAX_NUMBER_DIGITS = 19
"""Longest card number (ISO/IEC 7812-1), and the digits of an utterance that the next one needs."""
_MIN_OPEN_DIGITS = {Redact.NUMBERS: 3, Redact.SSN: 3, Redact.PCI: 4, Redact.PHONE: 3}
"""Shortest beginning of a number that continues in the next utterance."""
_CARD_DIGITS = range(13, 20)
LONG_DIGITS = {Redact.PCI: 13, Redact.SSN: 9, Redact.PHONE: 10}
"""Minimum digits of a number that is hidden without a check."""
_SSN_DIGITS = re.compile(r"(?!000|666)\d{3}(?!00)\d{2}(?!0000)\d{4}")
_NANP = re.compile(r"1?[2-9]\d\d[2-9]\d{6}")
_LOCAL_PHONE = re.compile(r"[2-9]\d{6}")
_TRUNK_PHONE = re.compile(r"0\d{9,11}|(?:00|011)[1-9]\d{7,14}")
_FOREIGN_DIGITS = range(8, 16)  # ITU-T E.164: at most 15

_CUE_WORDS = 6
"""How many words before a number may say what it is."""
_SSN_CUES = frozenset({"ssn", "social", "socials"})
_CVV_CUES = frozenset({"cvv", "cvc", "cvv2", "cvc2"})
_CODE_CUES = frozenset({"security", "verification"})
"""Before "code"; Social Security has a number."""
_EXPIRATION_CUES = frozenset({"expires", "expiry", "expiration", "expiring", "exp", "valid"})
_CONNECTORS = frozenset({"um", "uh", "er", "erm", "uhm", "hmm", "dash", "hyphen", "minus", ""})
_DASHES = "-‐‑‒–—−"  # what recognisers write between digits

_OPEN_CONNECTORS = _CONNECTORS | {"double", "triple", "a", "an", "and", "point", "plus"}
"""Words at the end of an unfinished text that may belong to a number."""

_IBAN_HEAD = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]*")
_IBAN_LENGTHS = range(15, 35)
_MAX_IBAN_TOKENS = 34

_ADDRESS_CUES = frozenset({"email", "e-mail", "mail", "gmail", "address"})
"""Before a domain, whose "at" was not recognised as a word."""
_AT, _DOTS = frozenset({"at", "@"}), frozenset({"dot", "."})
_SEPARATORS = frozenset({"dot", "underscore", "dash", "hyphen", "minus", "plus", "point", "."})
_HOST = re.compile(r"@[\w-]+(?:\.[\w-]+)+")
"""The end of an address, which may have more around it: "mailto:jane@example.com's"."""
_DOMAIN = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,}")
_TOP_LEVEL = re.compile(r"[a-z]{2}|com|org|net|edu|gov|info|app|dev", re.IGNORECASE)
_MAX_DOMAIN_WORDS = 3
_MAX_DOMAIN_DOTS = 10
_MAX_ADDRESS_WORDS = 40
_LETTER = re.compile("[À-ÖØ-öø-ɏͰ-ԯḀ-ỿ]")
"""A Latin, Greek or Cyrillic letter that a token of ASCII may continue: "josé@example.com"."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Numbers that follow one another, which may be parts of one.

    Attributes:
        numbers: The numbers.
        before: Digits that precede it, at the end of the utterance before.
        is_last: Whether nothing follows it.
    """

    numbers: tuple[Number, ...]
    before: str
    is_last: bool

    @property
    def first(self) -> int:
        return self.numbers[0].first

    @property
    def end(self) -> int:
        return self.numbers[-1].end

    @property
    def own_digits(self) -> str:
        return "".join(number.digits for number in self.numbers)

    @property
    def digits(self) -> str:
        return self.before + self.own_digits

    def windows(self) -> Iterator[str]:
        """Yield the digits of some adjacent numbers, all that a card number may be."""
        parts = [*([self.before] if self.before else []), *(each.digits for each in self.numbers)]
        for start in range(len(parts)):
            digits = ""
            for part in parts[start:]:
                digits += part
                if len(digits) > MAX_NUMBER_DIGITS:
                    break
                yield digits


def redaction_edits(
    text: str, kinds: Collection[Redact], *, before: str = "", is_live: bool = False
) -> list[Edit]:
    """Return the replacements that hide private data in a text.

    Args:
        text: A transcript, or the final of an utterance.
        kinds: What to hide.
        before: Digits at the end of the previous utterance: a number may continue after a pause.
        is_live: Whether a number at the end may continue in the next utterance; it is hidden if it
            may be the beginning of a longer one.
    """
    tokens = tokens_of(text)
    spans = list(_address_spans(tokens)) if Redact.EMAIL in kinds else []
    if NUMERIC & set(kinds):
        numbers = numbers_in([token.text for token in tokens])
        if Redact.PCI in kinds:
            spans += _iban_spans(tokens, numbers)
        for run in _runs(tokens, numbers, before):
            label = _label(run, tokens, kinds) or (NUMBER if is_live and _opens(run, kinds) else "")
            if label:
                spans.append((run.first, run.end, label))
    return _edits(tokens, spans)


def partial_edits(text: str, kinds: Collection[Redact], *, before: str = "") -> list[Edit]:
    """Return the replacements that hide in a partial all that its final may hide.

    All numbers of three or more digits are hidden, and what may be the beginning of a number or an
    address at the end of the text is removed.

    Args:
        text: The text so far of an utterance.
        kinds: What to hide.
        before: As in :func:`redaction_edits`.
    """
    tokens = tokens_of(text)
    spans: list[tuple[int, int, str]] = []
    shown = len(tokens)
    if Redact.EMAIL in kinds:
        spans += _address_spans(tokens)
        shown = min(shown, _open_address(tokens))
    if NUMERIC & set(kinds):
        numbers = numbers_in([token.text for token in tokens])
        runs = list(_runs(tokens, numbers, before, _OPEN_CONNECTORS))
        if Redact.PCI in kinds:
            spans += _iban_spans(tokens, numbers)
            shown = min(shown, _open_iban(tokens, _iban_texts(tokens, numbers)))
        if runs and runs[-1].is_last:
            shown = min(shown, runs.pop().first)
        for run in runs:
            if run.before or len(run.digits) >= MIN_HIDDEN_DIGITS:
                spans.append((run.first, run.end, _label(run, tokens, kinds) or NUMBER))
    edits = _edits(tokens, [span for span in spans if span[0] < shown])
    if shown == len(tokens):
        return edits
    cut = min(
        [tokens[shown].start, *(edit.start for edit in edits if edit.end > tokens[shown].start)]
    )
    return [*(edit for edit in edits if edit.end <= cut), Edit(cut, len(text), "")]


def open_digits(text: str, *, before: str = "") -> str:
    """Return the digits at the end of an utterance, for ``before`` of the next one.

    Args:
        text: The utterance, as it was recognised.
        before: Digits at the end of the utterance before it.
    """
    tokens = tokens_of(text)
    runs = list(_runs(tokens, numbers_in([token.text for token in tokens]), before))
    return runs[-1].digits[-MAX_NUMBER_DIGITS:] if runs and runs[-1].is_last else ""


def _edits(tokens: Sequence[Token], spans: Iterable[tuple[int, int, str]]) -> list[Edit]:
    """Return the edits of token spans; of overlapping ones, the first hides both."""
    merged: list[tuple[int, int, str]] = []
    for first, end, label in sorted(spans):
        if merged and first < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((first, end, label))
    return [edit_of(tokens[first:end], label) for first, end, label in merged]


# Numbers.


def _runs(
    tokens: Sequence[Token],
    numbers: Sequence[Number],
    before: str,
    connectors_at_end: Collection[str] = _CONNECTORS,
) -> Iterator[_Run]:
    group: list[Number] = []
    usable = [number for number in numbers if not number.is_ordinal]
    for at, number in enumerate(usable):
        group.append(number)
        following = usable[at + 1].first if at + 1 < len(usable) else len(tokens)
        if _connect(tokens[number.end : following]) and at + 1 < len(usable):
            continue
        is_last = at + 1 == len(usable) and _connect(tokens[number.end :], connectors_at_end)
        starts = _connect(tokens[: group[0].first])
        yield _Run(tuple(group), before if starts else "", is_last)
        group = []


def _connect(tokens: Sequence[Token], connectors: Collection[str] = _CONNECTORS) -> bool:
    """Return whether a number continues after these words."""
    return all(core(token.text).strip(_DASHES).lower() in connectors for token in tokens)


def _label(run: _Run, tokens: Sequence[Token], kinds: Collection[Redact]) -> str:
    """Return the placeholder of a number; empty if it is not private."""
    cues = _cues(tokens, run.first)
    if Redact.PCI in kinds:
        if any(_is_card(window) for window in run.windows()):
            return CARD
        is_code = cues & _CVV_CUES or (cues & _CODE_CUES and "code" in cues)
        if is_code and len(run.digits) in (3, 4):
            return CVV
        if cues & _EXPIRATION_CUES and 3 <= len(run.digits) <= 6:
            return EXPIRATION
    if Redact.SSN in kinds and _is_ssn(run, has_cue=bool(cues & _SSN_CUES)):
        return SSN
    if Redact.PHONE in kinds and _is_phone(run, tokens):
        return PHONE
    lengths = [LONG_DIGITS[kind] for kind in kinds if kind in LONG_DIGITS]
    if Redact.NUMBERS in kinds:
        lengths.append(MIN_HIDDEN_DIGITS)
    return NUMBER if lengths and len(run.digits) >= min(lengths) else ""


def _cues(tokens: Sequence[Token], first: int) -> set[str]:
    return {core(token.text).lower() for token in tokens[max(0, first - _CUE_WORDS) : first]}


def _opens(run: _Run, kinds: Collection[Redact]) -> bool:
    lengths = [_MIN_OPEN_DIGITS[kind] for kind in kinds if kind in _MIN_OPEN_DIGITS]
    return run.is_last and len(run.digits) >= min(lengths)


def _is_card(digits: str) -> bool:
    if len(digits) not in _CARD_DIGITS or len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_ssn(run: _Run, *, has_cue: bool) -> bool:
    if has_cue and 4 <= len(run.digits) <= 9:
        return True
    return any(_SSN_DIGITS.fullmatch(digits) for digits in (run.digits, run.own_digits))


def _is_phone(run: _Run, tokens: Sequence[Token]) -> bool:
    number = run.numbers[0]
    is_foreign = core(tokens[number.first].text).startswith("+") or (
        number.first > 0 and core(tokens[number.first - 1].text).lower() == "plus"
    )
    if is_foreign and len(run.digits) in _FOREIGN_DIGITS:
        return True
    if any(_LOCAL_PHONE.fullmatch(digits) for digits in (run.digits, run.own_digits)):
        return True
    return any(
        _NANP.fullmatch(window) or _TRUNK_PHONE.fullmatch(window) for window in run.windows()
    )


# IBANs.


def _iban_spans(
    tokens: Sequence[Token], numbers: Sequence[Number]
) -> Iterator[tuple[int, int, str]]:
    texts = _iban_texts(tokens, numbers)
    at = 0
    while at < len(texts):
        end = _iban_end(texts, at)
        if end is not None:
            yield at, end, BANK_ACCOUNT
        at = at + 1 if end is None else end


def _iban_texts(tokens: Sequence[Token], numbers: Sequence[Number]) -> list[str]:
    """Return what each token adds to an IBAN: capitals and digits; "?" for other words."""
    texts = [re.sub(r"[-.]", "", core(token.text)) for token in tokens]
    texts = [text if text.isupper() and text.isascii() else "?" for text in texts]
    for number in numbers:
        texts[number.first : number.end] = ["" for _ in range(number.first, number.end)]
        texts[number.first] = number.digits
    return texts


def _iban_end(texts: Sequence[str], first: int) -> int | None:
    """Return the token after an IBAN that begins here; the longest one that its check allows."""
    if not texts[first][:1].isalpha():
        return None
    iban, found = "", None
    for at in range(first, min(len(texts), first + _MAX_IBAN_TOKENS)):
        iban += texts[at]
        is_head = len(iban) < 4 or _IBAN_HEAD.fullmatch(iban)
        if len(iban) > _IBAN_LENGTHS[-1] or not iban.isalnum() or not is_head:
            break
        if len(iban) in _IBAN_LENGTHS and _has_iban_check(iban):
            found = at + 1
    return found


def _has_iban_check(iban: str) -> bool:
    """Return whether the check digits are right, and most of it is digits, as in real ones."""
    if 2 * sum(character.isdigit() for character in iban) < len(iban):
        return False
    return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1


def _open_iban(tokens: Sequence[Token], texts: Sequence[str]) -> int:
    """Return the token at which an unfinished IBAN begins."""
    end = len(texts)
    while end and core(tokens[end - 1].text).lower() in _OPEN_CONNECTORS:
        end -= 1
    for at in range(max(0, end - _MAX_IBAN_TOKENS), end):
        rest = "".join(texts[at:end])
        is_head = _IBAN_HEAD.fullmatch(rest) or (len(rest) < 4 and rest.isalnum())
        if texts[at][:1].isalpha() and is_head:
            return at
    return len(texts)


# E-mail addresses.


@dataclass(frozen=True, slots=True)
class _AddressWord:
    """Tokens that are one word of an address, and their text without punctuation around it."""

    first: int
    end: int
    text: str


def _address_words(tokens: Sequence[Token]) -> list[_AddressWord]:
    """Return the words; letters of alphabets belong together, ASCII or not."""
    words: list[_AddressWord] = []
    first = 0
    for at in range(1, len(tokens) + 1):
        if at < len(tokens) and _continues(tokens[at - 1], tokens[at]):
            continue
        text = "".join(token.text for token in tokens[first:at])
        words.append(_AddressWord(first, at, core(text)))
        first = at
    return words


def _continues(before: Token, token: Token) -> bool:
    is_letter = _LETTER.match(before.text[-1]) or _LETTER.match(token.text[0])
    return before.end == token.start and is_letter is not None


def _address_spans(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    words = _address_words(tokens)
    texts = [word.text for word in words]
    for at, text in enumerate(texts):
        first, end = at, None
        if _HOST.search(text):
            first, end = _local_part(texts, at) if text.startswith("@") else at, at + 1
        elif text.lower() in _AT and at:
            first, end = _local_part(texts, at), _domain_end(texts, at + 1)
        elif _DOMAIN.fullmatch(text) and _cues(tokens, words[at].first) & _ADDRESS_CUES:
            end = at + 1
        if end is not None:
            yield words[first].first, words[end - 1].end, EMAIL


def _local_part(words: Sequence[str], at: int) -> int:
    """Return the first word of the local part before this word."""
    first = at
    earliest = max(0, at - _MAX_ADDRESS_WORDS)
    while first > earliest:
        first -= 1  # a word, or what precedes a separator
        while first > earliest and _is_spelled(words[first]) and _is_spelled(words[first - 1]):
            first -= 1
        if first <= earliest or words[first - 1].lower() not in _SEPARATORS:
            break
        first -= 1
    return first


def _is_spelled(word: str) -> bool:
    return len(word) == 1 or word.isdecimal()


def _domain_end(words: Sequence[str], start: int) -> int | None:
    """Return the word after a domain that begins here: "example.com" or "example dot com"."""
    if start < len(words) and _DOMAIN.fullmatch(words[start]):
        return start + 1
    end = None
    for at in range(start + 1, min(start + _MAX_DOMAIN_WORDS + 1, len(words))):
        if words[at].lower() in _DOTS:
            for dot in range(at, min(at + 2 * _MAX_DOMAIN_DOTS, len(words) - 1), 2):
                if words[dot].lower() not in _DOTS:
                    break
                end = dot + 2 if _TOP_LEVEL.fullmatch(words[dot + 1]) else end
            break
    return end


def _open_address(tokens: Sequence[Token]) -> int:
    """Return the token at which an unfinished address may begin; the last word always may."""
    words = _address_words(tokens)
    texts = [word.text for word in words]
    count = len(texts)
    if not count:
        return 0
    follows = texts[-1].lower() in _SEPARATORS or texts[-1].startswith("@")
    first = _local_part(texts, count)
    if follows and count > 1:
        first = min(first, _local_part(texts, count - 1))
    for at in range(max(1, count - _MAX_ADDRESS_WORDS), count):
        if texts[at].lower() in _AT and _is_open_domain(texts, at + 1):
            first = min(first, _local_part(texts, at))
    return words[first].first


def _is_open_domain(words: Sequence[str], start: int) -> bool:
    """Return whether the text ends within what may be a domain that begins here."""
    for at in range(start + 1, min(start + _MAX_DOMAIN_WORDS + 1, len(words))):
        if words[at].lower() in _DOTS:
            while at < len(words) and words[at].lower() in _DOTS:
                at += 2
            return at >= len(words)
    return len(words) - start <= _MAX_DOMAIN_WORDS
