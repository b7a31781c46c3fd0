"""Languages that requests may name: their codes, names and aliases. An engine knows some or all."""

import unicodedata
from collections.abc import Iterable

from auricle.values.errors import BadRequest

IMPROBABLE_LANGUAGE = 0.05
"""Below this probability the requested language is probably not spoken. For the right language all
of 142 clips have at least 0.54, and their first 2 s at least 0.48. English speech has 1e-6 to 1e-3
for German, French, Chinese and Japanese (0.07 where the topic is China)."""

LANGUAGE_NAMES: dict[str, str] = {
    "af": "afrikaans",
    "am": "amharic",
    "ar": "arabic",
    "as": "assamese",
    "az": "azerbaijani",
    "ba": "bashkir",
    "be": "belarusian",
    "bg": "bulgarian",
    "bn": "bengali",
    "bo": "tibetan",
    "br": "breton",
    "bs": "bosnian",
    "ca": "catalan",
    "cs": "czech",
    "cy": "welsh",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fo": "faroese",
    "fr": "french",
    "gl": "galician",
    "gu": "gujarati",
    "ha": "hausa",
    "haw": "hawaiian",
    "he": "hebrew",
    "hi": "hindi",
    "hr": "croatian",
    "ht": "haitian creole",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "is": "icelandic",
    "it": "italian",
    "ja": "japanese",
    "jw": "javanese",
    "ka": "georgian",
    "kk": "kazakh",
    "km": "khmer",
    "kn": "kannada",
    "ko": "korean",
    "la": "latin",
    "lb": "luxembourgish",
    "ln": "lingala",
    "lo": "lao",
    "lt": "lithuanian",
    "lv": "latvian",
    "mg": "malagasy",
    "mi": "maori",
    "mk": "macedonian",
    "ml": "malayalam",
    "mn": "mongolian",
    "mr": "marathi",
    "ms": "malay",
    "mt": "maltese",
    "my": "myanmar",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "nynorsk",
    "no": "norwegian",
    "oc": "occitan",
    "pa": "punjabi",
    "pl": "polish",
    "ps": "pashto",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sa": "sanskrit",
    "sd": "sindhi",
    "si": "sinhala",
    "sk": "slovak",
    "sl": "slovenian",
    "sn": "shona",
    "so": "somali",
    "sq": "albanian",
    "sr": "serbian",
    "su": "sundanese",
    "sv": "swedish",
    "sw": "swahili",
    "ta": "tamil",
    "te": "telugu",
    "tg": "tajik",
    "th": "thai",
    "tk": "turkmen",
    "tl": "tagalog",
    "tr": "turkish",
    "tt": "tatar",
    "uk": "ukrainian",
    "ur": "urdu",
    "uz": "uzbek",
    "vi": "vietnamese",
    "yi": "yiddish",
    "yo": "yoruba",
    "yue": "cantonese",
    "zh": "chinese",
}
"""English names by code."""

LANGUAGES = frozenset(LANGUAGE_NAMES)
"""All language codes."""

SPACELESS_LANGUAGES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages without spaces between words; their segments are joined without a space."""

_SCRIPTS = {
    "ARABIC": "ar fa ps sd ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK": "ja ko yue zh",
    "CYRILLIC": "ba be bg kk mk mn ru tg tt uk",
    "DEVANAGARI": "hi mr ne sa",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "HANGUL": "ko",
    "HEBREW": "he yi",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
"""Languages by their script, by the first word of its letters' names in Unicode. The others are
written in Latin letters or, like Serbian, in several scripts."""

_SEVERAL_SCRIPTS = frozenset({"az", "ha", "ms", "pa", "sr", "su", "tk", "uz"})
_SCRIPTS_OF = {
    code: {name for name, codes in _SCRIPTS.items() if code in codes.split()} or {"LATIN"}
    for code in LANGUAGES - _SEVERAL_SCRIPTS
}

DETECT = frozenset({"auto", "multi"})
"""Values of ``language`` that request detection, as does an empty value."""

_OTHER_CODES: dict[str, tuple[str, ...]] = {
    "af": ("afr",),
    "am": ("amh",),
    "ar": ("ara", "arb"),
    "as": ("asm",),
    "az": ("aze", "azj"),
    "ba": ("bak",),
    "be": ("bel",),
    "bg": ("bul",),
    "bn": ("ben",),
    "bo": ("bod", "tib"),
    "br": ("bre",),
    "bs": ("bos",),
    "ca": ("cat",),
    "cs": ("ces", "cze"),
    "cy": ("cym", "wel"),
    "da": ("dan",),
    "de": ("deu", "ger"),
    "el": ("ell", "gre"),
    "en": ("eng",),
    "es": ("spa",),
    "et": ("est", "ekk"),
    "eu": ("eus", "baq"),
    "fa": ("fas", "per", "pes", "prs"),
    "fi": ("fin",),
    "fo": ("fao",),
    "fr": ("fra", "fre"),
    "gl": ("glg",),
    "gu": ("guj",),
    "ha": ("hau",),
    "he": ("heb", "iw"),
    "hi": ("hin",),
    "hr": ("hrv",),
    "ht": ("hat",),
    "hu": ("hun",),
    "hy": ("hye", "arm"),
    "id": ("ind", "in"),
    "is": ("isl", "ice"),
    "it": ("ita",),
    "ja": ("jpn",),
    "jw": ("jv", "jav"),
    "ka": ("kat", "geo"),
    "kk": ("kaz",),
    "km": ("khm",),
    "kn": ("kan",),
    "ko": ("kor",),
    "la": ("lat",),
    "lb": ("ltz",),
    "ln": ("lin",),
    "lo": ("lao",),
    "lt": ("lit",),
    "lv": ("lav", "lvs"),
    "mg": ("mlg", "plt"),
    "mi": ("mri", "mao"),
    "mk": ("mkd", "mac"),
    "ml": ("mal",),
    "mn": ("mon", "khk"),
    "mr": ("mar",),
    "ms": ("msa", "may", "zsm"),
    "mt": ("mlt",),
    "my": ("mya", "bur"),
    "ne": ("nep", "npi"),
    "nl": ("nld", "dut"),
    "nn": ("nno",),
    "no": ("nor", "nb", "nob"),
    "oc": ("oci",),
    "pa": ("pan",),
    "pl": ("pol",),
    "ps": ("pus", "pbt", "pbu"),
    "pt": ("por",),
    "ro": ("ron", "rum", "mo", "mol"),
    "ru": ("rus",),
    "sa": ("san",),
    "sd": ("snd",),
    "si": ("sin",),
    "sk": ("slk", "slo"),
    "sl": ("slv",),
    "sn": ("sna",),
    "so": ("som",),
    "sq": ("sqi", "alb", "als"),
    "sr": ("srp",),
    "su": ("sun",),
    "sv": ("swe",),
    "sw": ("swa", "swh"),
    "ta": ("tam",),
    "te": ("tel",),
    "tg": ("tgk",),
    "th": ("tha",),
    "tk": ("tuk",),
    "tl": ("tgl", "fil"),
    "tr": ("tur",),
    "tt": ("tat",),
    "uk": ("ukr",),
    "ur": ("urd",),
    "uz": ("uzb", "uzn"),
    "vi": ("vie",),
    "yi": ("yid", "ydd", "ji"),
    "yo": ("yor",),
    "yue": ("zh-yue",),
    "zh": ("zho", "chi", "cmn"),
}
"""Codes of ISO 639 and BCP 47 for the same languages: three letters, outdated, and individual
languages of a macrolanguage. https://www.iana.org/assignments/language-subtag-registry"""

_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "bn": ("bangla",),
    "ca": ("valencian",),
    "es": ("castilian",),
    "fa": ("farsi", "dari"),
    "ht": ("haitian",),
    "km": ("cambodian",),
    "lb": ("letzeburgesch",),
    "my": ("burmese",),
    "nl": ("flemish",),
    "nn": ("norwegian nynorsk",),
    "no": ("bokmal", "bokmål", "norwegian bokmal", "norwegian bokmål"),
    "pa": ("panjabi",),
    "ps": ("pushto",),
    "ro": ("moldavian", "moldovan"),
    "si": ("sinhalese",),
    "sl": ("slovene",),
    "tl": ("filipino",),
    "zh": ("mandarin",),
}
"""Other English names."""

_CODES: dict[str, str] = {
    **{code: code for code in LANGUAGES},
    **{name: code for code, name in LANGUAGE_NAMES.items()},
    **{other: code for code, others in _OTHER_CODES.items() for other in others},
    **{other: code for code, others in _OTHER_NAMES.items() for other in others},
}


def language_code(named: str | None) -> str | None:
    """Return the code of a language, or ``None`` to detect it.

    Accepts codes of ISO 639, BCP 47 tags (``pt-BR``, ``zh_Hant_TW``) and English names. Drops
    regions, scripts and variants, which the model does not distinguish.

    Raises:
        BadRequest: The language is unknown.
    """
    name = (named or "").strip().lower().replace("_", "-")
    if not name or name in DETECT:
        return None
    primary, _, rest = name.partition("-")
    # An extended language subtag (zh-yue) names a separate language.
    extended = f"{primary}-{rest.partition('-')[0]}"
    for candidate in (name, name.replace("-", " "), extended, primary):
        if (code := _CODES.get(candidate)) is not None:
            return code
    raise BadRequest(
        "Unsupported language; use a code (`en`, `pt-BR`), an English name (`english`), or `auto`."
    )


def language_choice(
    named: str | None, possible: Iterable[str] | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return the named language, or the languages to which detection is restricted.

    A single possible language is used as if it were named. Detection is unrestricted if there is
    none, or if ``multi`` is one of them.

    Raises:
        BadRequest: A language is unknown.
    """
    language = language_code(named)
    codes = dict.fromkeys(language_code(each) for each in possible or () if each.strip())
    if language is not None or not codes or None in codes:
        return language, ()
    known = tuple(code for code in codes if code is not None)
    return (known[0], ()) if len(known) == 1 else (None, known)


def is_in_another_script(text: str, language: str) -> bool:
    """Return whether most letters of a text are not of a script of the language.

    False for a text without letters, and for a language that is written in several scripts.
    """
    if (scripts := _SCRIPTS_OF.get(language)) is None:
        return False
    letters = [letter for letter in text if letter.isalpha()]
    own = sum(unicodedata.name(letter, "").partition(" ")[0] in scripts for letter in letters)
    return 2 * own < len(letters)


def language_warning(requested: str | None, spoken: str | None, probability: float) -> str | None:
    """Return a warning if the speech is probably not in the requested language.

    Args:
        requested: Code of the requested language; ``None`` if it was detected.
        spoken: Code of the language of the text; ``None`` if it is unknown.
        probability: Probability of that language; 0 if it is unknown.
    """
    if requested is None or spoken is None:
        return None
    if spoken != requested:
        return (
            f"The speech, or part of it, is in {_shown(spoken)}, not in {_shown(requested)}, the "
            "requested language; it was transcribed as spoken."
        )
    if not 0 < probability < IMPROBABLE_LANGUAGE:
        return None
    name = _shown(requested)
    return f"The speech, or part of it, is probably not in {name}, the requested language."


def _shown(code: str) -> str:
    return LANGUAGE_NAMES.get(code, code).title()
