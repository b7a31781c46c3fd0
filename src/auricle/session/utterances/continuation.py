"""Begin and end the text of an utterance as its sentence does, which may be longer than it.

Models end each text with a full stop, also where the speaker was interrupted or only paused. It is
removed where the sentence is known to continue.

Models capitalise each utterance as if it were a complete sentence. The first letter is lowercased
if the previous text ends in the middle of a sentence (no final punctuation, or an ellipsis), the
pause is short, and the text begins with a joining word. Only words of a closed list are changed:
none of them starts a name, and German nouns keep their capitals.

A cut utterance, and one that is decoded together with the speech before it, may begin in lower case
although the previous text was sent with a full stop. Then the first letter is a capital.
"""

from auricle.values.types import SAMPLE_RATE_HZ

MAX_PAUSE_SAMPLES = 3 * SAMPLE_RATE_HZ
"""A longer pause starts a new sentence."""

SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
ELLIPSES = ("...", "…")
STOPS = (".", "。")
ABBREVIATIONS = frozenset({"dr", "jr", "mr", "mrs", "ms", "mt", "prof", "sr", "st", "vs"})
"""Words whose stop does not end a sentence."""

_JOINING_WORDS = {
    "en": "an and are as at because but by for from in is it nor not of on or so than that the"
    " then they this to was we were what when where which while who whose with without you",
    "de": "aber als am an auf aus bei bis da dann das dass dem den der des die doch durch ein eine"
    " einem einen einer er es für im in ist mit nach nicht oder sind so um und von vor was weil"
    " wenn wie wir wo zu zum zur",
    "es": "al como con cuando de del donde el en es la las lo los ni no para pero por porque"
    " que se si sin sino un una",
    "fr": "au aux avec car ce comme dans de des donc du elle en est et il ils je la le les mais"
    " ne ni où ou par pas pour qu que qui sans se si sur un une",
    "it": "al alla che chi ci come con da dal della di ed gli il in la le lo ma nel nella"
    " non per perché quando se si su un una",
    "nl": "aan als bij dan dat de die door een en er het hij in is maar met naar niet of om omdat"
    " op te tot uit van voor want was wat we wie ze zo zijn",
    "pt": "ao as com como da das de do dos em mas na nas no nos não os ou para pela pelo"
    " por porque quando que se sem um uma",
}
JOINING_WORDS = {code: frozenset(words.split()) for code, words in _JOINING_WORDS.items()}
"""Words that may continue a sentence and do not start a name, by language code. Single letters are
excluded, because the speaker may be spelling."""


def is_open(text: str) -> bool:
    """Return whether a text ends in the middle of a sentence."""
    bare = text.rstrip("\"'”’» ")
    return bool(bare) and (bare.endswith(ELLIPSES) or not bare.endswith(SENTENCE_ENDS))


def has_full_stop(text: str) -> bool:
    """Return whether a text ends with a full stop: no ellipsis, and no stop of an abbreviation."""
    if not text.endswith(STOPS) or text.endswith(ELLIPSES):
        return False
    last = text.split()[-1].strip(".。\"'”’(").lower()
    return "." not in last and last not in ABBREVIATIONS


def continued(text: str, before: str, language: str | None) -> str:
    """Return a text whose first letter fits the end of the previous text.

    Args:
        text: The text of the utterance; after a short pause if the previous text is open.
        before: The text of the previous utterance.
        language: The language code of the text; in languages without a list, no text is lowercased.
    """
    first = text.split(None, 1)[0].strip(",;:—–-'’\"") if text else ""
    if is_open(before):
        is_joining = first.lower() in JOINING_WORDS.get(language or "", ())
        if not is_joining or not first[0].isupper() or not first[1:].islower():
            return text
        letter = first[0].lower()
    elif first.islower():
        letter = first[0].title()  # some scripts have capitals that do not begin sentences
    else:
        return text
    at = text.index(first)
    return text[:at] + letter + text[at + 1 :]
