import random
from collections.abc import Sequence

import pytest

from auricle.text.edits import edited_text
from auricle.text.filters.correction.index import Search, SoundIndex
from auricle.text.filters.correction.options import Replacement, Term, Vocabulary
from auricle.text.filters.correction.rules import MAX_STEPS, Corrector

pytestmark = pytest.mark.unit

TERMS = (
    *("Kubernetes", "Digique Plus", "Ørsted Power", "Zyntrix", "kubectl", "Windows 11", "C++"),
    *("Newgate", "Rayne", "Apple", "Latin", "Basle", "Jenson", "Кубернетес", "Weiß", "Forde"),
)
VOCABULARY = Vocabulary(
    (*map(Term, TERMS), Term("JSON", ("jason", "jay sun"))),
    (Replacement("e mail", "e-mail"), Replacement("um", ""), Replacement("点", ".")),
)


def corrected(text: str, *, is_english: bool = True) -> str:
    edits = Corrector(VOCABULARY).edits(text, is_english=is_english)
    return edited_text(text, edits)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("We run cube ernetes, daily.", "We run Kubernetes, daily."),
        ("We run Cubernettys-Zintrix.", "We run Kubernetes-Zyntrix."),
        ("a Digeek Plus and a digeek plus", "a Digique Plus and a Digique Plus"),
        ("Ersted Power's (Orsted power)", "Ørsted Power's (Ørsted Power)"),
        ("Sintricks’s two Zintrixes", "Zyntrix’s two Zyntrixes"),
        ("Cubectl is here: cubectl", "Kubectl is here: kubectl"),
        ("The new gate of NEWGATE", "The Newgate of Newgate"),
        ("Jason's jay sun", "JSON's JSON"),
        ("An E Mail, e mails", "An e-mail, e mails"),
        ("Um, so um. Um um yes", "So. Yes"),
        ("um um yes", "yes"),
        ("Кубернетис", "Кубернетес"),
        ("三点五", "三.五"),
        ("c++ and Kubernetes", "C++ and Kubernetes"),
    ],
)
def test_what_sounds_like_a_term_becomes_the_term(text: str, written: str) -> None:
    assert corrected(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "Rain, an apple, and forty",  # common words
        "late in the year, for the",  # with function words
        "Windows 10, Windows 12",
        "Basel, London, Mary",  # well-known names
        "B-A-S-L, J E N S O N, NEWGAT",  # spelled, or an abbreviation
        "cube. Ernetes",  # another sentence
        "[NEWGATE] new, gate",
        "kubectl Kubectl",
    ],
)
def test_other_words_are_kept(text: str) -> None:
    assert corrected(text) == text


_CONTRACTIONS = """
I'm I've I'll I'd I'd've you're you've you'll you'd he's he'll he'd she's she'll she'd it's it'll
it'd we're we've we'll we'd they're they've they'll they'd that's that'll that'd there's there'll
who's who'll who'd what's what're what'll where's when's why's how's how'd here's let's someone's
isn't aren't wasn't weren't don't doesn't didn't haven't hasn't hadn't can't couldn't won't wouldn't
wouldn't've shan't shouldn't mustn't mightn't needn't ain't y'all o'clock ma'am c'mon d'you
"""
CONTRACTIONS = _CONTRACTIONS.split()


@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_contractions_and_what_is_only_spoken_are_common_words(apostrophe: str) -> None:
    said = [word.replace("'", apostrophe) for word in CONTRACTIONS]
    spoken = "Yeah, um, they uh don't said that we'd go, you know, hm."
    others = ("Shell", "Kant", "Wied", "Dohnt", "Yea", "Umm", "Theydont", "Didntgo", "Hewell")
    alike = tuple(Term(word.replace("'", "").capitalize()) for word in CONTRACTIONS)
    corrector = Corrector(Vocabulary((*alike, *map(Term, others))))
    for text in (" ".join(said), " ".join(said).lower(), spoken.replace("'", apostrophe)):
        for each in (text, text.replace(" ", ", ")):
            assert edited_text(each, corrector.edits(each, is_english=True)) == each
    names = Corrector(Vocabulary((Term("O'Neil"), Term("Oshay"))))
    text = f"said O{apostrophe}Neill and O{apostrophe}Shay"
    assert edited_text(text, names.edits(text, is_english=True)) == "said O'Neil and Oshay"


@pytest.mark.parametrize(
    "text",
    [
        "er kannte die Stadt und ich weiß es",
        "Kannte er sie? Weiß er es?",
        "avec vos amis sur la mare du pont. Vos amis",
    ],
)
def test_common_words_of_other_languages_are_no_names(text: str) -> None:
    names = ("Kant", "Weiss", "Voss", "Lamar Dupont", "Lamar", "Dupont")
    corrector = Corrector(Vocabulary(tuple(map(Term, names))))
    assert edited_text(text, corrector.edits(text, is_english=False)) == text


def test_of_german_nouns_only_long_ones_may_be_names() -> None:
    corrector = Corrector(Vocabulary((Term("Becker"), Term("Zyntrix"))))
    text = "zum Bäcker mit Zintrix"
    edits = corrector.edits(text, is_english=False, capital_nouns=True)
    assert edited_text(text, edits) == "zum Bäcker mit Zyntrix"
    edits = corrector.edits(text, is_english=False)
    assert edited_text(text, edits) == "zum Becker mit Zyntrix"


def test_in_other_languages_words_are_corrected_as_they_are_written() -> None:
    vocabulary = Vocabulary((Term("Lamar Dupont", ("la mare du pont",)), Term("삼성전자")))
    text = "chez la mare du pont et lamar dupont, 삼성 전자"
    edits = Corrector(vocabulary).edits(text, is_english=False)
    assert edited_text(text, edits) == "chez Lamar Dupont et Lamar Dupont, 삼성전자"


def test_in_other_languages_only_what_sounds_the_same_is_corrected() -> None:
    text = "mit Zintrix, weiß, kubernetes"
    assert corrected(text, is_english=False) == "mit Zyntrix, weiß, kubernetes"
    assert corrected("Kasslin", is_english=False) == "Kasslin"
    caslon = Corrector(Vocabulary((Term("Caslon"),)))
    assert caslon.edits("Kesslen", is_english=True)
    assert not caslon.edits("Kesslen", is_english=False)


def test_the_more_terms_there_are_the_closer_they_must_be() -> None:
    others = tuple(Term(f"Q{at}") for at in range(300))
    few, many = (Corrector(Vocabulary((Term("Elzevirs"), *more))) for more in ((), others))
    assert few.edits("Elzevere", is_english=True)
    assert not many.edits("Elzevere", is_english=True)
    assert many.edits("Elzeviers", is_english=True)


def test_in_a_long_list_words_in_small_letters_must_be_closer() -> None:
    others = tuple(Term(f"Q{at}") for at in range(300))
    few, many = (Corrector(Vocabulary((Term("Phineas"), *more))) for more in ((), others))
    text = "the finness, the fineas"
    assert edited_text(text, few.edits(text, is_english=True)) == "the Phineas, the Phineas"
    assert edited_text(text, many.edits(text, is_english=True)) == "the finness, the Phineas"


def test_well_known_names_only_become_what_sounds_the_same_in_a_short_list() -> None:
    terms = (Term("Jenson"), Term("Catherin"))
    others = tuple(Term(f"Q{at}") for at in range(200))
    for vocabulary, written in (
        (terms, "Jensen, Catherin"),
        ((*terms, *others), "Jensen, Katherine"),
    ):
        edits = Corrector(Vocabulary(vocabulary)).edits("Jensen, Katherine", is_english=True)
        assert edited_text("Jensen, Katherine", edits) == written


def test_of_overlapping_terms_the_closest_is_written() -> None:
    terms = ("Digique", "Digique Plus", "Foresman", "Wardsman")
    corrector = Corrector(Vocabulary(tuple(map(Term, terms))))
    for text, written in (
        ("Digeek Plus", "Digique Plus"),
        ("Digeek Pluto", "Digique Pluto"),
        ("for Wordsman", "for Wardsman"),
    ):
        assert edited_text(text, corrector.edits(text, is_english=True)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Um, I think, uh, so. Um. Yes, um.", "I think, so. Yes."),
        ("Yes, um, uh, um.", "Yes."),
        ("Yes, um", "Yes"),
        ("Yes, um... no", "Yes... no"),
        ("I uh, think um so", "I think so"),
        ("Um, uh, so it is", "So it is"),
        ("um, so. Um? No", "so. No"),
        ("Um, kubectl and um, kubectl", "Kubectl and kubectl"),
        ("Um, cubectl. Um, iPhone", "Kubectl. iPhone"),
        ("She said: um, no.", "She said: no."),
        ("“Um, no.” Um, yes.", "“No.” Yes."),
        ("Uh-huh, uh's, um-hm and re-um", "Uh-huh, uh's, um-hm and re-um"),
        ("Um.", ""),
        ("嗯，我想，嗯。嗯", "我想。"),
        ("Um [NUMBER] um. [NUMBER]", "[NUMBER]. [NUMBER]"),
    ],
)
def test_words_are_removed_with_their_punctuation(text: str, written: str) -> None:
    sources = ("um", "uh", "嗯")
    replacements = tuple(Replacement(source, "") for source in sources)
    corrector = Corrector(Vocabulary((Term("kubectl"),), replacements))
    assert edited_text(text, corrector.edits(text, is_english=True)) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("please take that away, we are all in the car, a new deal", None),
        ("All in all. Take that away!", None),
        ("hear Take That, All In and NEW DEAL", "hear Take That, All In and New Deal"),
        ("New Deal. The digique plus", "New Deal. The Digique Plus"),
    ],
)
def test_terms_of_common_words_stay_in_small_letters(text: str, written: str | None) -> None:
    terms = map(Term, ("Take That", "All In", "New Deal", "Digique Plus"))
    corrector = Corrector(Vocabulary(tuple(terms)))
    assert edited_text(text, corrector.edits(text, is_english=True)) == (written or text)


def test_a_plural_that_is_written_right_is_no_change() -> None:
    assert Corrector(Vocabulary((Term("Zyntrap"),))).edits("Zyntraps", is_english=True) == []


def test_an_empty_vocabulary_changes_nothing() -> None:
    assert Corrector(Vocabulary()).edits("We run cube ernetes.", is_english=True) == []


def test_terms_sound_first_and_the_number_of_their_other_spellings_is_bounded() -> None:
    others = tuple(f"q{at}" for at in range(10))
    terms = (*(Term(f"Q{at}", others) for at in range(1000)), Term("Caslon", ("Elzevirs",)))
    corrector = Corrector(Vocabulary(terms))
    text = "Kaslon, Elzeviers, Elzevirs"
    assert edited_text(text, corrector.edits(text, is_english=True)) == "Caslon, Elzeviers, Caslon"


def names_that_sound_alike(count: int, seed: int) -> Sequence[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(("ba", "pa", "be", "pi"), k=8)).title() for _ in range(count)]


def test_the_work_for_a_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    search = SoundIndex.closest

    def closest(self: SoundIndex, sound: str, limit: float) -> Search:
        found = search(self, sound, limit)
        steps.append(found.steps)
        return found

    monkeypatch.setattr(SoundIndex, "closest", closest)
    monkeypatch.setattr("auricle.text.filters.correction.rules.MAX_STEPS_PER_WORD", 20)
    corrector = Corrector(Vocabulary(tuple(map(Term, names_that_sound_alike(10_000, 1)))))
    words = names_that_sound_alike(10_000, 2)
    corrector.edits(" ".join(words), is_english=True)
    assert MAX_STEPS < sum(steps) <= MAX_STEPS + 20 * len(words) + max(steps)


@pytest.mark.parametrize(
    ("most", "written"), [(0, "Caslon, Elzeviers and Kaslon"), (200, "Caslon, Elzevirs and Caslon")]
)
def test_words_stay_after_the_maximum_of_work(
    monkeypatch: pytest.MonkeyPatch, most: int, written: str
) -> None:
    monkeypatch.setattr("auricle.text.filters.correction.rules.MAX_STEPS", most)
    monkeypatch.setattr("auricle.text.filters.correction.rules.MAX_STEPS_PER_WORD", 0)
    corrector = Corrector(Vocabulary((Term("Caslon"), Term("Elzevirs"))))
    text = "Kesslin, Elzeviers and Kaslon"
    assert edited_text(text, corrector.edits(text, is_english=True)) == written
