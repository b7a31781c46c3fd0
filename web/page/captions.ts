/** Entry point of the captions page. */

import { CAPTION_TEXTS, problem, type Sentence } from './caption-texts.js';
import { CaptionView } from './caption-view.js';
import { byId, setText } from './dom.js';
import { type Language, showTexts, bindLanguageButton } from './i18n.js';
import { KeptCaptions } from './kept-captions.js';
import { KeptList } from './kept-list.js';
import type { KeptTranscript } from './kept.js';
import { IndexedDbStore } from './kept-store.js';
import { Keeper } from './keeper.js';
import { Key } from './key.js';
import { namedLanguages } from './languages.js';
import { LevelMeter } from './level-meter.js';
import { Live, type LiveState, type SpeechChoice } from './live.js';
import { ModelChoice } from './model-choice.js';
import { Recordings } from './recordings.js';
import { SourceChoice } from './source.js';
import { store, stored } from './storage.js';

const SPOKEN = 'auricle.spoken';
const SPEAKERS = 'auricle.speakers';
const TURNS = 'auricle.turns';
const SILENT = problem('silent');

const start = byId('start', HTMLButtonElement);
const pause = byId('pause', HTMLButtonElement);
const spoken = byId('spoken', HTMLSelectElement);
const speakers = byId('speakers', HTMLInputElement);
const turns = byId('turns', HTMLInputElement);
const notice = byId('notice', HTMLElement);
const level = byId('level', HTMLElement);

let texts: (typeof CAPTION_TEXTS)[Language] = CAPTION_TEXTS.en;
let shownIn: Language = 'en';
let shownProblem: Sentence | null = null;
let delayMilliseconds: number | null = null;
let behindSeconds: number | null = null;
let screenLock: Promise<WakeLockSentinel | undefined> | null = null;

const key = new Key(showProblem);
const source = new SourceChoice(texts, () => void live.changeSource());
const model = new ModelChoice(texts, key, changeModel);
const keeper = new Keeper(new IndexedDbStore(), isFailing => {
	byId('not-kept', HTMLElement).hidden = !isFailing;
});
const captions = new CaptionView(texts, () => {
	keptList.endOffer();
	void keptCaptions.change();
});
const keptCaptions = new KeptCaptions(captions, keeper);
const recordings = new Recordings(texts, key, keeper, speech, showProblem);
const keptList = new KeptList(texts, {
	open: transcript => void open(transcript).then(listKept),
	remove: ids => void keeper.remove(ids).then(listKept),
});
const meter = new LevelMeter(level.firstElementChild as HTMLElement, isSilent => {
	if (shownProblem === (isSilent ? null : SILENT)) {
		showProblem(isSilent ? SILENT : null); // any other notice is more important
	}
});
const live = new Live(
	{
		showState,
		showBehind,
		showDelay,
		showPartial: partial => captions.showPartial(partial),
		showFinal: final => captions.showFinal(final),
		reviseSpeakers: revision => captions.reviseSpeakers(revision),
		showGap: gap => captions.showGap(gap),
		begin: () => captions.begin(),
		end: () => captions.dropGuesses(),
		showMedia: media => meter.watch(media),
		showProblem,
	},
	source,
	key,
	speech,
);

bindLanguageButton(byId('language', HTMLButtonElement), render);
start.addEventListener('click', () => void live.startOrStop());
pause.addEventListener('click', () => void live.pauseOrGoOn());
for (const button of [start, pause]) {
	button.addEventListener('keydown', event => {
		if (event.repeat) {
			event.preventDefault(); // a held key counts as one press
		}
	});
}
spoken.addEventListener('change', () => {
	store('localStorage', SPOKEN, spoken.value);
	live.changeSpeech();
});
speakers.checked = stored('localStorage', SPEAKERS) === '1';
speakers.addEventListener('change', () => store('localStorage', SPEAKERS, speakers.checked ? '1' : ''));
turns.checked = stored('localStorage', TURNS) === '1';
turns.addEventListener('change', () => store('localStorage', TURNS, turns.checked ? '1' : ''));
document.addEventListener('visibilitychange', () => {
	if (!document.hidden) {
		keepScreenOn(false); // the browser released the lock when the page was hidden
		keepScreenOn(live.state !== 'idle');
		void listKept(); // other tabs may have changed it
	}
});
window.addEventListener('beforeunload', event => {
	if (isBusy()) {
		event.preventDefault(); // the browser asks the user whether to leave
	}
});
byId('status-link', HTMLAnchorElement).addEventListener('click', ({ currentTarget }) => {
	(currentTarget as HTMLAnchorElement).target = isBusy() ? '_blank' : '';
});
byId('key-form', HTMLFormElement).addEventListener('submit', () => void model.load());
void model.load();
void resumeJobs().then(listKept);
if (!isSecureContext) {
	showProblem(problem('insecure'));
	start.disabled = true;
}

/** Returns whether leaving the page would stop something, or lose text. */
function isBusy(): boolean {
	return live.state !== 'idle' || recordings.isUploading || keeper.isUnsaved;
}

/** Finds the jobs again that a page before has started. */
async function resumeJobs(): Promise<void> {
	const jobs = (await keeper.list()).filter(({ job }) => job !== null);
	await Promise.all(jobs.map(transcript => recordings.open(transcript)));
}

/** Lists the kept transcripts that the page does not show. */
async function listKept(): Promise<void> {
	const kept = await keeper.list();
	keptList.show(kept.filter(({ id, job }) => job === null && id !== keptCaptions.id && !recordings.has(id)));
}

async function open(transcript: KeptTranscript): Promise<void> {
	if (transcript.kind === 'recording') {
		await recordings.open(transcript);
	} else if (live.state === 'idle') {
		await keptCaptions.open(transcript);
		keptList.endOffer();
	}
}

function speech(): SpeechChoice {
	const language = spoken.value === '' ? null : spoken.value;
	return { model: model.value, language, speakers: speakers.checked, turnDetection: turns.checked };
}

/** Offers the languages of the chosen model, and uses it from now on. */
function changeModel(): void {
	renderSpoken();
	live.changeSpeech();
}

function render(language: Language): void {
	texts = CAPTION_TEXTS[language];
	shownIn = language;
	showTexts(texts);
	document.title = `Auricle: ${texts.title}`;
	model.render(texts);
	renderSpoken();
	source.render(texts);
	captions.render(texts);
	recordings.render(texts);
	keptList.render(texts);
	showState(live.state);
	showDelay(delayMilliseconds);
	showProblem(shownProblem);
}

function renderSpoken(): void {
	const known = model.languages;
	const languages = namedLanguages(shownIn).filter(([code]) => known?.has(code) ?? true);
	const auto = new Option(texts.spoken.auto, '');
	spoken.replaceChildren(auto, ...languages.map(([code, name]) => new Option(name, code)));
	const chosen = stored('localStorage', SPOKEN) ?? '';
	spoken.value = languages.some(([code]) => code === chosen) ? chosen : '';
}

function showState(state: LiveState): void {
	const isOn = state !== 'idle';
	setText(start, isOn ? texts.stop : texts.start);
	start.classList.toggle('on', isOn);
	pause.hidden = !['connecting', 'listening', 'reconnecting', 'paused'].includes(state);
	setText(pause, state === 'paused' ? texts.resume : texts.pause);
	speakers.disabled = isOn; // a stream begins with or without them
	turns.disabled = isOn;
	const standing = byId('state', HTMLElement);
	standing.dataset['state'] = state;
	setText(standing, texts.states[state]);
	keepScreenOn(isOn);
	keptList.isListening = isOn;
}

function showBehind(seconds: number | null): void {
	behindSeconds = seconds;
	showDelay(delayMilliseconds);
}

function showDelay(milliseconds: number | null): void {
	delayMilliseconds = milliseconds;
	const delay = milliseconds === null ? '' : texts.delay((milliseconds / 1000).toFixed(1));
	const text = behindSeconds === null ? delay : texts.behind(behindSeconds.toFixed(0));
	byId('delay', HTMLElement).textContent = text;
}

function showProblem(sentence: Sentence | null): void {
	shownProblem = sentence;
	notice.hidden = sentence === null;
	setText(notice, sentence?.(texts) ?? '');
}

/** Keeps the screen on while captions are shown, where the browser supports it. */
function keepScreenOn(isOn: boolean): void {
	if (isOn && 'wakeLock' in navigator) {
		screenLock ??= navigator.wakeLock.request('screen').catch(() => undefined);
	} else if (screenLock !== null) {
		void screenLock.then(lock => lock?.release());
		screenLock = null;
	}
}
