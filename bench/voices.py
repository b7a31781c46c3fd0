"""Known voices: right and wrong names, unknown voices that get a name, and CPU time.

    git clone --depth 1 https://github.com/gcompris/GCompris-voices DIR
    python -m bench.voices --volunteers DIR [--corpus DIR] [--out docs/benchmarks/known_voices]

The voices are those of ``bench.speakers`` and of :mod:`bench.speakers.volunteers`, in two halves
without a common speaker. The limits of :mod:`auricle.voices.matching` were chosen on the tuning
half, and are reported for the other half: ``sweep`` has the rates of the tuning half at other
limits. No clip of a voice is used twice, for its enrolment and for a test. Figures with more
enrolled voices than a half has are those of its voices among others, who never speak in a test.
Without the volunteers, at most 15 voices are enrolled.

``trials`` compares means of clips, with the speech that the detector finds in the wide band: by
telephone it finds less of such separate words, see ``found_by_telephone_percent``. Only voices of
the corpus are tested in noise. In ``conversations`` three people of the corpus speak, speech is
found in the band, the search for speakers runs as in files and in live sessions, and each of them
is known or not.
"""

import asyncio
import base64
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from auricle.values.errors import SpeakersUnavailable
from auricle.values.speakers import Span, UnusableVoice, VoicePrint
from auricle.values.transcriber import Stats
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    EmbedJob,
    Pcm16,
    SpeakerEmbeddings,
    SpeakerOptions,
)
from auricle.voices import matching
from auricle.voices.matching import KnownVoices
from auricle.workers.kinds.speakers.embedder import SpeakerEmbedder
from auricle.workers.kinds.speakers.local import LocalSpeakers
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, digest_of
from auricle.workers.kinds.speakers.voices.online import SpeakerTracker
from auricle.workers.kinds.speakers.voices.stretches import cut_live_stretches
from bench.lib.report import command_line, publish, show_targets
from bench.lib.speech import CORPUS, Clip, corpus, pink_noise
from bench.speakers.conversations import (
    PEAK,
    REPORTED,
    TUNING,
    VOICES,
    Conversation,
    by_telephone,
    converse,
    load_voices,
)
from bench.speakers.systems import FileSpeech, read_file, utterances
from bench.speakers.volunteers import load_volunteers

ENROLLED_S = 20.0
MAX_SHARE = 0.6
"""Of a voice's speech, for its enrolment: the rest is for tests."""
TEST_S = (3.0, 5.0, 10.0)
SEEDS = 10
ENROLLED = (1, 5, 15, 30, 50)
WIDE, NOISY, PHONE = "wide band", "noise", "telephone"
PAIRS = ((WIDE, WIDE), (WIDE, NOISY), (PHONE, PHONE), (WIDE, PHONE))
"""The band of the enrolment, and that of the test."""
SNR_DB = (15.0, 30.0)
LIMITS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.87, 0.88, 0.89, 0.9)
SWEEP_ENROLLED = 30
CONVERSATIONS, SPEAKERS, SECONDS = 8, 3, 60
KNOWN_IN_CONVERSATION = 3
MODEL = digest_of(BUNDLED_MODEL)
OTHERS = ("jfk", "1995", "aishell", "picovoice")
MAX_FALSE, MIN_RIGHT = 1.0, 90.0

T = TypeVar("T")
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """The embeddings of one clip by band, and its speech in seconds."""

    vectors: Mapping[str, Vectors]
    speech_s: float


@dataclass(slots=True)
class Count:
    """What speakers got: those who are known, and those who are not."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    named: int = 0
    unnamed: int = 0

    def add(self, name: str | None, truth: str, *, is_known: bool) -> None:
        """Count the name that a speaker got."""
        if is_known:
            self.right += name == truth
            self.missed += name is None
            self.wrong += name not in (truth, None)
        else:
            self.named += name is not None
            self.unnamed += name is None

    def to_json(self) -> dict[str, Any]:
        """Return the counts, and the rates in percent."""
        known, unknown = self.right + self.wrong + self.missed, self.named + self.unnamed
        return {
            "known": known,
            "right_percent": _percent(self.right, known),
            "wrong_percent": _percent(self.wrong, known),
            "unknown": unknown,
            "named_percent": _percent(self.named, unknown),
        }


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def in_band(pcm: Pcm16, band: str, seed: int) -> Pcm16:
    """Return speech at a usual level, in a band."""
    loud = pcm.astype(np.float64) * PEAK / np.abs(pcm).max()
    if band == NOISY:
        chance = random.Random(seed)
        power = np.mean(loud[np.abs(loud) > PEAK / 20] ** 2) / 10 ** (chance.uniform(*SNR_DB) / 10)
        loud = loud + np.sqrt(power) * pink_noise(pcm.size, np.random.default_rng(seed))
    pcm = np.clip(loud, -32768, 32767).astype(np.int16)
    return by_telephone(Conversation("", pcm, ())).pcm if band == PHONE else pcm


def spoken(
    embedder: SpeakerEmbedder, clips: Sequence[Clip], bands: Sequence[str], found_in: str = WIDE
) -> list[Spoken]:
    """Return the embeddings of clips in some bands, with the speech that is found in one band."""
    found = []
    for seed, clip in enumerate(clips):
        speech = read_file(embedder, in_band(clip.pcm, found_in, seed))
        if not len(speech.vectors):
            continue
        vectors = {found_in: speech.vectors}
        for band in set(bands) - {found_in}:
            embedded = embedder.embed(in_band(clip.pcm, band, seed), speech.stretches)
            vectors[band] = embedded[np.any(embedded, axis=1)]
        speech_s = sum(end - start for start, end in speech.voiced) / SAMPLE_RATE_HZ
        found.append(Spoken(vectors, speech_s))
    return found


def found_by_telephone_percent(clips: Sequence[Clip]) -> float:
    """Return how much of the speech that is found in the wide band is found by telephone."""
    totals = Counter[str]()
    for seed, clip in enumerate(clips):
        for band in (WIDE, PHONE):
            totals[band] += sum(
                end - start
                for utterance in utterances(in_band(clip.pcm, band, seed))
                for start, end in utterance.voiced
            )
    return round(100 * totals[PHONE] / totals[WIDE], 1)


def print_of(clips: Sequence[Spoken], band: str) -> VoicePrint | None:
    """Return the voice of some clips, as an enrolment stores it; ``None`` without a voice."""
    vectors = [each.vectors[band] for each in clips if len(each.vectors.get(band, ()))]
    if not vectors:
        return None
    total = np.concatenate(vectors).sum(axis=0)
    speech_s = sum(each.speech_s for each in clips)
    return VoicePrint(MODEL, (total / np.linalg.norm(total)).astype(np.float32), speech_s)


def divided(items: Sequence[T], lengths_s: Sequence[float], seed: str) -> tuple[list[T], list[T]]:
    """Return items for an enrolment, and others for tests."""
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    target = min(ENROLLED_S, MAX_SHARE * sum(lengths_s))
    taken, total = 0, 0.0
    while total < target and taken < len(order) - 1:
        total += lengths_s[order[taken]]
        taken += 1
    return [items[at] for at in order[:taken]], [items[at] for at in order[taken:]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A test of a voice, and the voices that are enrolled."""

    truth: str
    test: VoicePrint
    enrolled: Mapping[str, VoicePrint]


def trials(
    voices: Mapping[str, Sequence[Spoken]],
    others: Mapping[str, VoicePrint],
    bands: tuple[str, str],
    test_s: float,
    enrolled: int,
) -> Iterator[Trial]:
    """Yield each voice of a half against random sets of enrolled ones, known or not."""
    for seed in range(SEEDS):
        chance = random.Random(f"{seed} {enrolled}")
        known: dict[str, VoicePrint] = {}
        tests: dict[str, VoicePrint] = {}
        for name, clips in voices.items():
            for_known, rest = divided(clips, [each.speech_s for each in clips], f"{seed} {name}")
            test = print_of(_first(rest, test_s), bands[1])
            voice = print_of(for_known, bands[0])
            if voice is not None and test is not None:
                known[name], tests[name] = voice, replace(test, speech_s=test_s)
        for name, test in tests.items():
            for is_known in (True, False):
                pool = [each for each in known if each != name]
                spare = [each for each in others if each not in known]
                filling = chance.sample(pool, min(enrolled - is_known, len(pool)))
                filling += chance.sample(spare, min(enrolled - is_known - len(filling), len(spare)))
                chosen = [*filling, *([name] if is_known else [])]
                yield Trial(name, test, {each: known.get(each) or others[each] for each in chosen})


def _first(clips: Sequence[Spoken], seconds: float) -> list[Spoken]:
    taken: list[Spoken] = []
    for clip in clips:
        if sum(each.speech_s for each in taken) >= seconds:
            break
        taken.append(clip)
    return taken


def counted(found: Iterator[Trial]) -> Count:
    """Return what the trials get."""
    count = Count()
    for trial in found:
        name = KnownVoices.of(list(trial.enrolled.items())).name_of(trial.test)
        count.add(name, trial.truth, is_known=trial.truth in trial.enrolled)
    return count


def sweep(
    voices: Mapping[str, Sequence[Spoken]], others: Mapping[str, Sequence[Spoken]]
) -> dict[str, Any]:
    """Return the rates with 30 enrolled voices and 5 s of speech at each limit of the cosine."""
    rates: dict[str, Any] = {}
    before = matching.SURE_COSINE, matching.SURE_NARROW_COSINE
    for limit in LIMITS:
        matching.SURE_COSINE = matching.SURE_NARROW_COSINE = limit
        for bands in PAIRS:
            if NOISY in bands:  # too few voices
                continue
            spare = _prints_in(others, bands[0])
            count = counted(trials(voices, spare, bands, 5.0, SWEEP_ENROLLED))
            rates.setdefault(" / ".join(bands), {})[limit] = count.to_json()
    matching.SURE_COSINE, matching.SURE_NARROW_COSINE = before
    return rates


@dataclass(slots=True)
class ConversationCounts:
    """The names in conversations: in files, in live finals as sent, and at the end of sessions."""

    file: Count = field(default_factory=Count)
    sent: Count = field(default_factory=Count)
    end: Count = field(default_factory=Count)
    enrolment_s: float = 0.0


def conversations(
    embedder: SpeakerEmbedder, clips: Mapping[str, Sequence[Clip]], band: str
) -> ConversationCounts:
    """Return the names that speakers of conversations get."""
    counts = ConversationCounts()
    for seed in range(CONVERSATIONS):
        chance = random.Random(seed)
        known: dict[str, VoicePrint] = {}
        tests: dict[str, list[Clip]] = {}
        for name, each in sorted(clips.items()):
            for_known, tests[name] = divided(
                each, [clip.seconds for clip in each], f"{seed} {name}"
            )
            voice = print_of(spoken(embedder, for_known, [band], band), band)
            if voice is not None:
                known[name] = voice
        chosen = chance.sample(sorted(known), KNOWN_IN_CONVERSATION)
        enrolled = KnownVoices.of([(name, known[name]) for name in chosen])
        conversation = converse(tests, SPEAKERS, SECONDS, 300 + seed)
        if band == PHONE:
            conversation = by_telephone(conversation)
        _count(counts, embedder, conversation, enrolled)
    return counts


def _count(
    counts: ConversationCounts,
    embedder: SpeakerEmbedder,
    conversation: Conversation,
    known: KnownVoices,
) -> None:
    speech = read_file(embedder, conversation.pcm)
    turns = speech.turns()
    prints = _prints(speech)
    for number, spans in _spans_of(turns.turns).items():
        truth = main_speaker(conversation, spans)
        counts.file.add(known.name_of(prints[number]), truth, is_known=truth in known.names)
    tracker = SpeakerTracker(SpeakerOptions())
    names: dict[int, str | None] = {}
    labelled: list[tuple[tuple[Span, ...], tuple[int, ...]]] = []
    for utterance in utterances(conversation.pcm):
        stretches = cut_live_stretches(utterance.voiced)
        if not stretches:
            continue
        labels = tracker.label(stretches, embedder.embed(conversation.pcm, stretches))
        changed = tracker.revise()
        labelled.append((stretches, labels))
        for index, new in changed.items():
            labelled[index] = (labelled[index][0], new)
        names = _live_names(tracker, known, names)
        main = Counter(labelled[-1][1]).most_common(1)[0][0]
        own = [s for s, label in zip(*labelled[-1], strict=True) if label == main]
        truth = main_speaker(conversation, own)
        counts.sent.add(names.get(main), truth, is_known=truth in known.names)
    for index, new in tracker.finish().items():
        labelled[index] = (labelled[index][0], new)
    names = _live_names(tracker, known, names)
    spans_of: dict[int, list[Span]] = {}
    for stretches, labels in labelled:
        for span, label in zip(stretches, labels, strict=True):
            spans_of.setdefault(label, []).append(span)
    for number, all_spans in spans_of.items():
        truth = main_speaker(conversation, all_spans)
        counts.end.add(names.get(number), truth, is_known=truth in known.names)


def _live_names(
    tracker: SpeakerTracker, known: KnownVoices, before: Mapping[int, str | None]
) -> dict[int, str | None]:
    prints = tracker.known_voices().prints(MODEL)
    return {number: known.name_of(voice, before.get(number)) for number, voice in prints.items()}


def _prints(speech: FileSpeech) -> dict[int, VoicePrint]:
    turns = speech.turns()
    seconds: Counter[int] = Counter()
    for turn in turns.turns:
        seconds[turn.speaker] += turn.end_sample - turn.start_sample
    return {
        number: VoicePrint(MODEL, voice, seconds[number] / SAMPLE_RATE_HZ)
        for number, voice in enumerate(turns.voices)
    }


def _spans_of(turns: Sequence[Any]) -> dict[int, list[tuple[int, int]]]:
    spans: dict[int, list[tuple[int, int]]] = {}
    for turn in turns:
        spans.setdefault(turn.speaker, []).append((turn.start_sample, turn.end_sample))
    return spans


def main_speaker(conversation: Conversation, spans: Sequence[tuple[int, int]]) -> str:
    """Return who speaks most in some spans."""
    samples: Counter[str] = Counter()
    for start, end in spans:
        for turn in conversation.turns:
            samples[turn.speaker] += max(
                0, min(end, turn.end_sample) - max(start, turn.start_sample)
            )
    return samples.most_common(1)[0][0]


class Embedder:
    """Embeds in this process, as a worker does."""

    def __init__(self, embedder: SpeakerEmbedder) -> None:
        self._embedder = embedder

    def prepare(self) -> None:
        """Do nothing."""

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return the embeddings of a job."""
        return SpeakerEmbeddings(job.stretches, self._embedder.embed(job.pcm, job.stretches))

    def stats(self) -> Stats:
        """Return that it is ready."""
        return Stats(ready=True)


def enrolments(embedder: SpeakerEmbedder, clips: Mapping[str, Sequence[Clip]]) -> dict[str, Any]:
    """Return how many recordings of one voice, and of two, are refused."""
    speakers = LocalSpeakers(Embedder(embedder), MODEL)
    refused, total = Counter[str](), Counter[str]()
    names = sorted(clips)
    for seed in range(2):
        parts = {
            name: divided(clips[name], [clip.seconds for clip in clips[name]], f"{seed} {name}")[0]
            for name in names
        }
        recordings = [("one", parts[name]) for name in names]
        for first, second in zip(names, [*names[1:], names[0]], strict=True):
            half = len(parts[first]) // 2 + 1, len(parts[second]) // 2 + 1
            recordings.append(("two", [*parts[first][: half[0]], *parts[second][: half[1]]]))
        for kind, recording in recordings:
            pause = np.zeros(SAMPLE_RATE_HZ // 2, np.int16)
            pcm = np.concatenate(
                [p for clip in recording for p in (in_band(clip.pcm, WIDE, 0), pause)]
            )
            total[kind] += 1
            refused[kind] += not asyncio.run(_is_accepted(speakers, read_file(embedder, pcm)))
    return {
        f"{kind}_voice{'s' * (kind == 'two')}": {
            "recordings": total[kind],
            "refused": refused[kind],
        }
        for kind in ("one", "two")
    }


async def _is_accepted(speakers: LocalSpeakers, speech: FileSpeech) -> bool:
    reader = speakers.read_voice("bench", ClientId("bench"), None)
    for chunk in speech.chunks:
        await reader.add(chunk)
    try:
        reader.named("")
    except (UnusableVoice, SpeakersUnavailable):
        return False
    return len(reader.prints()) == 1


def cpu_ms() -> dict[str, float]:
    """Return the CPU time of finding the names of three speakers, in ms, by known voices."""
    times = {}
    for voices in (1, 50, 1000):
        vectors = np.random.default_rng(1).standard_normal((voices + 3, 192)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        known = KnownVoices.of(
            [(str(n), VoicePrint(MODEL, vector, 20.0)) for n, vector in enumerate(vectors[3:])]
        )
        speakers = {n: VoicePrint(MODEL, vector, 20.0) for n, vector in enumerate(vectors[:3])}
        started_s = time.process_time()
        for _ in range(200):
            matching.names_of(speakers, known)
        times[str(voices)] = round((time.process_time() - started_s) * 5, 3)
    return times


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """The voices of a half: clips of the corpus, and the embeddings of all."""

    clips: Mapping[str, Sequence[Clip]]
    voices: Mapping[str, Sequence[Spoken]]


def load_half(
    embedder: SpeakerEmbedder, directory: Path, volunteers: Path | None, half: str
) -> Half:
    """Return the voices of a half."""
    clips = load_voices(directory, half)
    voices = {name: spoken(embedder, each, [WIDE, NOISY, PHONE]) for name, each in clips.items()}
    if volunteers is not None:
        for name, words in load_volunteers(volunteers, half).items():
            voices[name] = spoken(embedder, words, [WIDE, PHONE])
    return Half(clips, voices)


def other_voices(embedder: SpeakerEmbedder, directory: Path) -> dict[str, list[Spoken]]:
    """Return the voices of the corpus that are in no half."""
    clips: dict[str, list[Clip]] = {}
    for clip in corpus(directory):
        speaker = re.split(r"[-.]", clip.name)[0]
        if speaker in OTHERS:
            clips.setdefault(speaker, []).append(clip)
    return {name: spoken(embedder, each, [WIDE, PHONE]) for name, each in clips.items()}


def measured_trials(
    voices: Mapping[str, Sequence[Spoken]], others: Mapping[str, Sequence[Spoken]]
) -> dict[str, Any]:
    """Return the figures of the voices of a half among others, who never speak in a test."""
    figures: dict[str, Any] = {}
    for bands in PAIRS:
        tested = {name: each for name, each in voices.items() if print_of(each, bands[1])}
        spare = _prints_in(others, bands[0])
        figures[" / ".join(bands)] = {
            f"{seconds:g} s": {
                str(enrolled): counted(trials(tested, spare, bands, seconds, enrolled)).to_json()
                for enrolled in ENROLLED
                if enrolled < len(tested) + len(spare)
            }
            for seconds in TEST_S
        }
    return figures


def _prints_in(voices: Mapping[str, Sequence[Spoken]], band: str) -> dict[str, VoicePrint]:
    prints = {name: print_of(each, band) for name, each in voices.items()}
    return {name: voice for name, voice in prints.items() if voice is not None}


def measured_speech(embedder: SpeakerEmbedder, clips: Mapping[str, Sequence[Clip]]) -> Any:
    """Return the figures of conversations and of recordings that are enrolled."""
    figures: dict[str, Any] = {"conversations": {}}
    for band in (WIDE, PHONE):
        counts = conversations(embedder, clips, band)
        figures["conversations"][band] = {
            "file": counts.file.to_json(),
            "live finals, as sent": counts.sent.to_json(),
            "live speakers, at the end": counts.end.to_json(),
        }
    percents = {name: found_by_telephone_percent(each) for name, each in clips.items()}
    return figures | {
        "found_by_telephone_percent": percents,
        "enrolments": enrolments(embedder, clips),
    }


def narrow_band(embedder: SpeakerEmbedder, directory: Path) -> str:
    """Return the mean of the tuning half's voices by telephone, as :mod:`.narrow_band` has it."""
    prints = [
        print_of(spoken(embedder, clips, [WIDE, PHONE]), PHONE)
        for clips in load_voices(directory, TUNING).values()
    ]
    total = np.sum([voice.vector for voice in prints if voice is not None], axis=0)
    return base64.b64encode((total / np.linalg.norm(total)).astype("<f2").tobytes()).decode()


def main() -> None:
    parser = command_line(__doc__, "known_voices")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--volunteers", type=Path, help="a clone of GCompris-voices")
    parser.add_argument("--half", choices=tuple(VOICES), help="only this half")
    parser.add_argument(
        "--narrow-band", action="store_true", help="print what voices by telephone have in common"
    )
    arguments = parser.parse_args()
    embedder = SpeakerEmbedder()
    if arguments.narrow_band:
        print(narrow_band(embedder, arguments.corpus))
        return
    if arguments.volunteers is None:
        print("without --volunteers: at most 15 enrolled voices")
    started_s = time.process_time()
    load = partial(load_half, embedder, arguments.corpus, arguments.volunteers)
    others, tuning = other_voices(embedder, arguments.corpus), load(TUNING)
    result: dict[str, Any] = {}
    if arguments.half != REPORTED:
        result[TUNING] = {
            "voices": sorted(tuning.voices),
            "other_voices": sorted(others),
            "trials": measured_trials(tuning.voices, others),
            "sweep": sweep(tuning.voices, others),
        }
    if arguments.half != TUNING:
        reported, spare = load(REPORTED), others | dict(tuning.voices)
        result[REPORTED] = {
            "voices": sorted(reported.voices),
            "other_voices": sorted(spare),
            "trials": measured_trials(reported.voices, spare),
            **measured_speech(embedder, reported.clips),
        }
    result |= {
        "limits": {
            "cosine": matching.SURE_COSINE,
            "cosine_narrow_band": matching.SURE_NARROW_COSINE,
            "margin": matching.SURE_MARGIN,
            "margin_narrow_band": matching.SURE_NARROW_MARGIN,
            "min_speech_s": matching.MIN_SPEECH_S,
        },
        "names_cpu_ms": cpu_ms(),
        "cpu_s": round(time.process_time() - started_s, 1),
    }
    publish(arguments.out, result)
    if REPORTED in result:
        show_targets(
            {
                f"{bands}, {seconds}, {enrolled} enrolled: named at most {MAX_FALSE:g} %, "
                f"right at least {MIN_RIGHT:g} %": row["named_percent"] <= MAX_FALSE
                and row["right_percent"] >= MIN_RIGHT
                for bands, lengths in result[REPORTED]["trials"].items()
                for seconds, rows in lengths.items()
                for enrolled, row in rows.items()
            }
        )


if __name__ == "__main__":
    main()
