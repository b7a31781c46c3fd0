"""Terms of a vocabulary in transcripts of real speech: by the prompt, by correction, by both.

    python -m bench.vocabulary [--corpus DIR] [--recordings DIR ...] [--half reported]
        [--out docs/benchmarks/vocabulary]
    python -m bench.vocabulary --librispeech DIR [--out docs/benchmarks/vocabulary_readers]

Speech is the English part of the corpus, and folders in the layout of LJ Speech (``metadata.csv``
and ``wavs``), of which any part may be there. A recording of less than 55 ms for each character of
its text is cut off, and left out. The halves are made by a hash of the sentences' names: limits
were tuned on ``tuning``, and ``reported`` gives the figures.

With ``--librispeech``, speech is a folder with any part of a set of LibriSpeech: recordings
(``*.flac``) of the texts in ``*.trans.txt``, by readers that nothing was tuned on. Its texts have
no capitals, so terms have none, and may be rare words of any kind.

Terms are words of the references, of at least four letters, that are neither common words nor
well-known names (the lists of the correction), whether the model gets them right or not. Half of a
short list, and most of a long one, is absent: names of other texts, and parts of two such names
joined. All of it is chosen by seeds. Whisper base transcribes with two beams, as live finals.

The rest of LJ Speech's sentences, of another book, shows how often right words change where a text
has many other names: the terms are names of the first book that the others lack.

A term is recalled if the transcript of its clip has it, without a final "s". A correction is false
if the clip's reference lacks its term; if it also replaced words that were right, these are
counted apart. Capitals are not compared. Spelled letters (AN4) count for false corrections only.
"""

import hashlib
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jiwer

from auricle.config.sections.model import ModelSettings
from auricle.engines.whisper.models.bundled import ensure_bundled_base
from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.text.edits import edited_text
from auricle.text.filters.correction.filter import Correction
from auricle.text.filters.correction.options import Term, Vocabulary
from auricle.text.filters.correction.rules import Corrector
from auricle.text.filters.correction.words import is_common, is_known_name
from auricle.values.types import Job, JobId, Options, Segment, Transcript
from bench.lib.engine import load_engine
from bench.lib.report import command_line, publish, show_targets
from bench.lib.scoring import words as normalized
from bench.lib.speech import AN4, CORPUS, OTHER, Clip, corpus, load_audio

TUNING, REPORTED, UNSEEN = "tuning", "reported", "unseen readers"
RECORDED = "recorded"
MIN_MS_PER_CHARACTER = 55
MIN_LETTERS = 4
OTHER_BOOKS = "LJ026"
"""The first chapter of LJ Speech that is not of the books whose sentences are spoken here."""
LISTS = {50: range(1, 13), 500: range(1, 5), 5000: range(1, 4)}
"""Seeds of the lists by their length."""
PROMPTED = {50: 3, 500: 1}
"""How many of these lists are also given to the model, by their length: this takes longest."""
PRESENT_SHARE = 0.5
BATCH = 8
HOURS = 10
WORDS_PER_HOUR = 10_000
MAX_FALSE_PER_HOUR, MIN_POINTS = 1.0, 30.0
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(slots=True)
class Score:
    """What became of the terms in some clips.

    Attributes:
        terms: How often references have terms.
        recalled: How many of them transcripts have.
        recalled_without: How many they have with neither prompt nor correction.
        taken_for_others: How many they have as common words or well-known names instead.
        inserted: How often transcripts have terms that their references lack.
        corrections: Replacements of words.
        false: Those whose term the reference lacks.
        right_changed: Those of them that replaced words which the reference has.
        other_words: Words of the references that are no terms.
        other_errors: Those of them that the transcripts lack.
        word_errors: All errors of words.
    """

    terms: int = 0
    recalled: int = 0
    recalled_without: int = 0
    taken_for_others: int = 0
    inserted: int = 0
    corrections: int = 0
    false: int = 0
    right_changed: int = 0
    other_words: int = 0
    other_errors: int = 0
    word_errors: int = 0

    def __add__(self, other: "Score") -> "Score":
        mine, others = asdict(self), asdict(other)
        return Score(**{name: mine[name] + others[name] for name in mine})


@dataclass(frozen=True, slots=True)
class Change:
    """A replacement in a transcript."""

    before: str
    after: str


def plain_words(text: str) -> list[str]:
    """Return the words of a text without possessive endings."""
    return [re.sub(r"['’]s?$", "", word) for word in _WORD.findall(text)]


def key(word: str) -> str:
    """Return a word in lower case, without a final "s"."""
    return word.lower().removesuffix("s")


def rare_words(texts: Sequence[str]) -> set[str]:
    """Return words that may be terms: neither common ones nor well-known names."""
    return {
        word
        for text in texts
        for word in plain_words(text)
        if len(word) >= MIN_LETTERS and not word.isupper()
        if not is_common(word) and not is_known_name(word)
    }


def term_list(present: set[str], absent: set[str], length: int, seed: int) -> list[str]:
    """Return the terms of a list: at most half of them present, the others absent."""
    chance = random.Random(f"{length} {seed}")
    shown, others = sorted(present), sorted(absent)
    chance.shuffle(shown)
    chance.shuffle(others)
    terms = shown[: int(length * PRESENT_SHARE)]
    terms += others[: length - len(terms)]
    known = {key(term) for term in present | absent}
    while len(terms) < length:
        first, second = chance.sample(others, 2)
        joined = (first[: len(first) // 2 + 1] + second[len(second) // 2 :]).capitalize()
        if key(joined) not in known:
            terms.append(joined)
    return terms


def score(clip: Clip, text: str, changes: Sequence[Change], terms: set[str]) -> Score:
    """Compare the transcript of a clip with its reference.

    Args:
        clip: The clip.
        text: The transcript.
        changes: The corrections in it.
        terms: The keys of the terms.
    """
    spoken = Counter(map(key, plain_words(clip.text)))
    written = Counter(map(key, plain_words(text)))
    false = [each for each in changes if not all(spoken[key(w)] for w in plain_words(each.after))]
    right = [each for each in false if all(spoken[key(w)] for w in plain_words(each.before))]
    result = Score(
        inserted=sum(max(0, written[term] - spoken[term]) for term in terms),
        corrections=len(changes),
        false=len(false),
        right_changed=len(right),
    )
    if clip.kind != AN4:
        result.terms = sum(spoken[term] for term in terms)
        result.recalled = sum(min(spoken[term], written[term]) for term in terms)
        _count_errors(result, normalized(clip.text), normalized(text), terms)
    return result


def _count_errors(
    result: Score, reference: Sequence[str], transcript: Sequence[str], terms: set[str]
) -> None:
    counts = jiwer.process_words(" ".join(reference), " ".join(transcript))
    result.word_errors = counts.substitutions + counts.deletions + counts.insertions
    result.taken_for_others = sum(
        key(word) in terms and (is_common(written) or is_known_name(written))
        for chunk in counts.alignments[0]
        if chunk.type == "substitute"
        for word, written in zip(
            reference[chunk.ref_start_idx : chunk.ref_end_idx],
            transcript[chunk.hyp_start_idx : chunk.hyp_end_idx],
            strict=True,
        )
    )
    result.other_words = sum(key(word) not in terms for word in reference)
    result.other_errors = sum(
        key(word) not in terms
        for chunk in counts.alignments[0]
        if chunk.type in ("substitute", "delete")
        for word in reference[chunk.ref_start_idx : chunk.ref_end_idx]
    )


def recorded(directory: Path) -> list[Clip]:
    """Load the recordings of a folder in the layout of LJ Speech that are whole."""
    texts = _metadata(directory)
    clips = []
    for path in sorted(directory.glob("wavs/*.wav")):
        pcm, text = load_audio(path), texts[path.stem]
        if pcm.size / 16 >= MIN_MS_PER_CHARACTER * len(text):
            clips.append(Clip(path.stem, RECORDED, pcm, text))
    return clips


def _metadata(directory: Path) -> dict[str, str]:
    lines = (directory / "metadata.csv").read_text("utf-8").splitlines()
    return {line.split("|")[0]: line.split("|")[2] for line in lines}


def librispeech(directory: Path) -> tuple[list[Clip], dict[str, str]]:
    """Load the recordings of a folder in the layout of LibriSpeech, and all texts by their names.

    Texts without a recording give the absent terms.
    """
    files = [path.read_text("utf-8") for path in sorted(directory.rglob("*.trans.txt"))]
    lines = [line.lower().split(" ", 1) for file in files for line in file.splitlines()]
    texts = {name: text.strip() for name, text in lines}
    paths = sorted(directory.rglob("*.flac"), key=lambda path: path.stem)
    clips = [Clip(path.stem, RECORDED, load_audio(path), texts[path.stem]) for path in paths]
    return clips, texts


def half_of(clip: Clip) -> str:
    """Return the half of a clip; recordings of one sentence are in the same half."""
    return half_of_name(clip.name.split(".")[0])


def half_of_name(name: str) -> str:
    """Return the half of a sentence."""
    return REPORTED if hashlib.sha256(name.encode()).digest()[0] & 1 else TUNING


@cache
def _engine() -> ShortWindowEngine:
    engine = load_engine(str(ensure_bundled_base(ModelSettings().cache_dir)))
    engine.warm_up()
    return engine


@dataclass(slots=True)
class Recogniser:
    """Transcribes clips, and keeps their texts in a file, if there is one, for other runs.

    Attributes:
        path: The file; ``None`` to keep nothing.
        kept: The texts by the names of clips and the hot words.
    """

    path: Path | None
    kept: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path | None) -> "Recogniser":
        """Return a recogniser with what an earlier run has kept."""
        return cls(path, json.loads(path.read_text()) if path and path.exists() else {})

    def texts(self, clips: Sequence[Clip], hotwords: Sequence[str] = ()) -> list[str]:
        """Return the texts of clips."""
        inputs = repr(([(clip.name, clip.pcm.size) for clip in clips], list(hotwords)))
        name = hashlib.sha256(inputs.encode()).hexdigest()
        if name not in self.kept:
            self.kept[name] = list(_transcribed(clips, hotwords))
            if self.path:
                self.path.write_text(json.dumps(self.kept))
        return self.kept[name]


def _transcribed(clips: Sequence[Clip], hotwords: Sequence[str]) -> Iterator[str]:
    options = Options(language="en", beam_size=2, hotwords=tuple(hotwords))
    for at in range(0, len(clips), BATCH):
        jobs = [Job(JobId(clip.name), clip.pcm, options) for clip in clips[at : at + BATCH]]
        for result in _engine().transcribe(jobs):
            yield result.text if isinstance(result, Transcript) else ""


def compare(
    clips: Sequence[Clip],
    plain: Sequence[str],
    prompted: Sequence[str] | None,
    terms: Sequence[str],
) -> Iterator[tuple[str, Score, list[Change]]]:
    """Yield the score of each way to use a list of terms, and its false corrections."""
    keys = {key(term) for term in terms if not is_common(key(term))}  # "alls" is no "all"
    corrector = Corrector(Vocabulary(tuple(map(Term, terms))))
    for name, texts, corrects in (
        ("neither", plain, False),
        ("prompt", prompted, False),
        ("correction", plain, True),
        ("both", prompted, True),
    ):
        if texts is None:
            continue
        total, false = Score(), list[Change]()
        for clip, text, plain_text in zip(clips, texts, plain, strict=True):
            edits = corrector.edits(text, is_english=True) if corrects else []
            changes = [Change(text[edit.start : edit.end], edit.text) for edit in edits]
            changes = [each for each in changes if each.before.lower() != each.after.lower()]
            found = score(clip, edited_text(text, edits), changes, keys)
            found.recalled_without = score(clip, plain_text, [], keys).recalled
            if found.false:
                false += [each for each in changes if score(clip, "", [each], keys).false]
            total += found
        yield name, total, false


def figures(total: Score, hours: float) -> dict[str, Any]:
    """Return what is reported of a score."""
    return {
        "hours": round(hours, 2),
        "recall_percent": round(100 * total.recalled / max(total.terms, 1), 1),
        "recall_without_percent": round(100 * total.recalled_without / max(total.terms, 1), 1),
        "taken_for_others_percent": round(100 * total.taken_for_others / max(total.terms, 1), 1),
        "terms": total.terms,
        "inserted_per_hour": round(total.inserted / hours, 2),
        "corrections": total.corrections,
        "false_corrections_per_hour": round(total.false / hours, 2),
        "right_words_changed_per_hour": round(total.right_changed / hours, 2),
        "errors_of_other_words_percent": round(
            100 * total.other_errors / max(total.other_words, 1), 2
        ),
        "word_errors": total.word_errors,
    }


def changes_of_right_text(texts: Mapping[str, str], half: str) -> dict[str, Any]:
    """Return how often correction changes right sentences, in 10,000 words, which take an hour.

    Args:
        texts: The sentences of LJ Speech by their names.
        half: The half of the sentences of the other books.
    """
    first = [text for name, text in texts.items() if name < OTHER_BOOKS]
    rest = {name: text for name, text in texts.items() if name >= OTHER_BOOKS}
    known = {key(word) for word in rare_words(list(rest.values()))}
    named = {word for word in rare_words(first) if word[0].isupper() and key(word) not in known}
    spoken = [text for name, text in rest.items() if half_of_name(name) == half]
    hours = sum(len(text.split()) for text in spoken) / WORDS_PER_HOUR
    results: dict[str, Any] = {"hours": round(hours, 2)}
    for length, seeds in LISTS.items():
        changed: Counter[str] = Counter()
        for seed in seeds:
            terms = term_list(set(), named, length, seed)
            corrector = Corrector(Vocabulary(tuple(map(Term, terms))))
            for text in spoken:
                edits = corrector.edits(text, is_english=True)
                changed.update(f"{text[e.start : e.end]} -> {e.text}" for e in edits)
        results[f"{length} terms"] = {
            "changed_per_hour": round(changed.total() / hours / len(seeds), 2),
            "changed": dict(sorted(changed.items())),
        }
        print(
            f"{length} terms, other books: {changed.total() / hours / len(seeds):.2f}/h", flush=True
        )
    return results


def cost(clips: Sequence[str], texts: Sequence[str], terms: Sequence[str]) -> dict[str, float]:
    """Return the CPU time of the correction, of one thread.

    Args:
        clips: Texts of finals.
        texts: Texts of a long file.
        terms: The terms.
    """
    vocabulary = Vocabulary(tuple(map(Term, terms)))
    prepare_s = _cpu_s(lambda: Corrector(vocabulary))
    correction = Correction(Corrector(vocabulary))
    final_s = _cpu_s(lambda: [correction.final(text, None, "en") for text in clips])
    words = [word for text in texts for word in text.split()]
    words = (words * (HOURS * WORDS_PER_HOUR // len(words) + 1))[: HOURS * WORDS_PER_HOUR]
    segments = tuple(
        Segment(at, at + 10, " " + " ".join(words[at : at + 10])) for at in range(0, len(words), 10)
    )
    file = Transcript(" ".join(words), "en", 1.0, HOURS * 3600 * 16_000, segments)
    file_s = _cpu_s(lambda: correction.transcript(file))
    return {
        "prepare_ms": round(1000 * prepare_s, 1),
        "final_ms": round(1000 * final_s / len(clips), 3),
        "file_ms_per_hour": round(1000 * file_s / HOURS, 1),
    }


def _cpu_s(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def measure(
    recogniser: Recogniser, clips: Sequence[Clip], others: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """Return the figures of each list and way, and the gain in points of recall by list."""
    hours = sum(clip.seconds for clip in clips) / 3600
    plain = recogniser.texts(clips)
    spoken = [clip.text for clip in clips if clip.kind != AN4]
    present = rare_words(spoken)
    rare = rare_words(others)
    named = {word for word in rare if word[0].isupper()} or rare
    absent = {word for word in named if key(word) not in {key(each) for each in present}}
    results: dict[str, dict[str, Any]] = {}
    gains: dict[str, float] = {}
    for length, seeds in LISTS.items():
        totals: dict[str, Score] = {}
        lists: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for at, seed in enumerate(seeds):
            terms = term_list(present, absent, length, seed)
            has_prompt = at < PROMPTED.get(length, 0)
            prompted = recogniser.texts(clips, terms) if has_prompt else None
            for name, found, false in compare(clips, plain, prompted, terms):
                totals[name] = totals.get(name, Score()) + found
                lists[name] += 1
                wrong.update(f"{name}: {each.before} -> {each.after}" for each in false)
        ways = {name: figures(total, hours * lists[name]) for name, total in totals.items()}
        list_name = f"{length} terms"
        results[list_name] = {
            "lists": dict(lists),
            "ways": ways,
            "false_corrections": dict(sorted(wrong.items())),
            "cost": cost(plain, spoken, terms),
        }
        best = ways.get("both", ways["correction"])
        gains[list_name] = best["recall_percent"] - best["recall_without_percent"]
        show(list_name, results[list_name])
    return results, gains


def show(name: str, result: Mapping[str, Any]) -> None:
    """Print the figures of one length of lists."""
    for way, found in result["ways"].items():
        print(
            f"{name:10} {way:10} recall {found['recall_percent']:5.1f} %"
            f" (was {found['recall_without_percent']:5.1f}) of {found['terms']:4}"
            f"  false {found['false_corrections_per_hour']:5.2f}/h"
            f"  right changed {found['right_words_changed_per_hour']:5.2f}/h"
            f"  inserted {found['inserted_per_hour']:6.2f}/h"
            f"  other words {found['errors_of_other_words_percent']:5.2f} %"
            f"  errors {found['word_errors']}",
            flush=True,
        )
    print(name, result["cost"], flush=True)


def speech(directory: Path, recordings: Sequence[Path]) -> list[Clip]:
    """Return all English speech; the corpus has some sentences of LJ Speech, too."""
    recorded_clips = [clip for each in recordings for clip in recorded(each)]
    names = {clip.name for clip in recorded_clips}
    clips = [clip for clip in corpus(directory) if clip.kind != OTHER]
    return [*recorded_clips, *(clip for clip in clips if clip.name.split(".")[0] not in names)]


def main() -> None:
    parser = command_line(__doc__, "vocabulary")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--recordings", type=Path, nargs="*", default=[])
    parser.add_argument("--librispeech", type=Path, help="folder with a part of LibriSpeech")
    parser.add_argument("--half", choices=(TUNING, REPORTED), default=REPORTED)
    parser.add_argument(
        "--transcripts", type=Path, help="file that keeps transcripts for further runs"
    )
    arguments = parser.parse_args()
    texts: dict[str, str] = {}
    if arguments.librispeech:
        half = UNSEEN
        clips, spoken_texts = librispeech(arguments.librispeech)
        everything = list(spoken_texts.values())
    else:
        half = arguments.half
        all_clips = speech(arguments.corpus, arguments.recordings)
        clips = [clip for clip in all_clips if half_of(clip) == half]
        for each in arguments.recordings:
            texts |= _metadata(each)
        everything = [*texts.values(), *(clip.text for clip in all_clips)]
    others = sorted({*everything} - {clip.text for clip in clips})
    kinds = Counter(clip.kind for clip in clips)
    minutes = round(sum(clip.seconds for clip in clips) / 60, 1)
    print(f"{half}: {len(clips)} clips, {minutes} minutes: {dict(kinds)}")
    results, gains = measure(Recogniser.of(arguments.transcripts), clips, others)
    ways = [way for each in results.values() for way in each["ways"].values()]
    show_targets(
        {
            f"recall + {MIN_POINTS:g} points": min(gains.values()) >= MIN_POINTS,
            f"at most {MAX_FALSE_PER_HOUR:g} false correction per hour": all(
                way["false_corrections_per_hour"] <= MAX_FALSE_PER_HOUR for way in ways
            ),
        }
    )
    publish(
        arguments.out,
        {
            "half": half,
            "clips": dict(kinds),
            "minutes": minutes,
            "recall_gain_points": {name: round(gain, 1) for name, gain in gains.items()},
            "lists": results,
            "other_books": changes_of_right_text(texts, half) if texts else None,
        },
    )


if __name__ == "__main__":
    main()
