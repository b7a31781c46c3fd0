"""The results of Vosk: ``{"partial": …}``, and ``{"result": [words], "text": …}``."""

from collections.abc import Sequence
from typing import Any

from auricle.apis.vosk.wire.options import VoskOptions
from auricle.text.formats.spoken_words import approximate_words, plain
from auricle.values.events import Final
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, Word

Json = dict[str, Any]


def partial_body(texts: Sequence[str], options: VoskOptions) -> Json:
    """Return the partial of the utterances whose finals are pending."""
    text = " ".join(filter(None, map(str.strip, texts)))
    return {"partial": text if options.punctuates else plain(text)}


def result_body(finals: Sequence[Final], options: VoskOptions) -> Json:
    """Return the result of some utterances, usually of one; without any, its text is empty."""
    text = _joined(finals)
    words = [word for final in finals for word in _words(final, options)]
    result: Json = {"result": words} if words and options.has_words else {}
    result["text"] = text if options.punctuates else plain(text)
    if options.has_alternatives:
        confidence = sum(word["conf"] for word in words) / len(words) if words else 1.0
        result = {"alternatives": [{"confidence": round(confidence, 6), **result}]}
    return result


def _joined(finals: Sequence[Final]) -> str:
    text = ""
    for final in finals:
        glue = "" if final.language in SPACELESS_LANGUAGES or not text else " "
        text += glue + final.text.strip()
    return text


def _words(final: Final, options: VoskOptions) -> list[Json]:
    words = final.words or approximate_words(final.text, final.start_sample, final.end_sample)
    named = [(word, _name(word, options)) for word in words]
    return [
        {
            "conf": round(word.probability, 6),
            "end": round(word.end_sample / SAMPLE_RATE_HZ, 3),
            "start": round(word.start_sample / SAMPLE_RATE_HZ, 3),
            "word": name,
        }
        for word, name in named
        if name
    ]


def _name(word: Word, options: VoskOptions) -> str:
    text = word.text.strip()
    return text if options.punctuates else plain(text)
