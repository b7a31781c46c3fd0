/** The Live place: its controls, the captions, and the stream between them. */

import { type CaptionTexts, dataFlow, problem } from './caption-texts.js';
import { CaptionView } from './caption-view.js';
import { byId, setText } from './dom.js';
import type { Language } from './i18n.js';
import { KeptCaptions } from './kept-captions.js';
import { KeptOffer } from './kept-offer.js';
import type { KeptTranscript } from './kept.js';
import type { Keeper } from './keeper.js';
import type { Key } from './key.js';
import { likelyLanguages, namedLanguages, withRecent } from './languages.js';
import { LevelMeter } from './level-meter.js';
import { LiveReturn } from './live-return.js';
import { Live, type LiveState, type SpeechChoice } from './live.js';
import { ModelChoice } from './model-choice.js';
import { isLocal } from './models.js';
import { kindOf, type Notice } from './notice.js';
import { OptionsPanel, remembered, rememberedSelect } from './options.js';
import { ScreenLock } from './screen-lock.js';
import type { VocabularySummary } from '../src/index.js';
import { MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS } from '../src/parameters.js';
import { ShareButton } from './share/share-button.js';
import { SourceChoice } from './source.js';
import { store, stored } from './storage.js';
import { listedVocabularies, showVocabularies } from './vocabulary-choice.js';

/** Name of its stored choice. */
export const SPOKEN = 'auricle.spoken';
/** Name of the stored choice of a vocabulary. */
export const VOCABULARY = 'auricle.vocabulary';
const RECENT = 'auricle.recent-languages';
const SILENT = problem('silent');
const PAUSABLE: ReadonlySet<LiveState> = new Set([
	'connecting',
	'starting',
	'waiting',
	'listening',
	'reconnecting',
	'paused',
]);

/** What the place uses of the page around it. */
export interface Surroundings {
	readonly key: Key;
	readonly keeper: Keeper;
	readonly notice: Notice;
}

/** The place; one for the page. */
export class LivePlace {
	readonly #start = byId('start', HTMLButtonElement);
	readonly #pause = byId('pause', HTMLButtonElement);
	readonly #state = byId('state', HTMLElement);
	readonly #spoken = byId('spoken', HTMLSelectElement);
	readonly #speakers = remembered('speakers');
	readonly #turns = remembered('turns');
	readonly #translate = remembered('translate');
	readonly #hotwords = remembered('hotwords');
	readonly #vocabulary = byId('vocabulary', HTMLSelectElement);
	readonly #maxLag = rememberedSelect('max-lag');
	readonly #screenLock = new ScreenLock();
	readonly #notice: Notice;
	readonly #source: SourceChoice;
	readonly #model: ModelChoice;
	readonly #captions: CaptionView;
	readonly #kept: KeptCaptions;
	readonly #offer: KeptOffer;
	readonly #return = new LiveReturn();
	readonly #share: ShareButton;
	readonly #live: Live;
	readonly #key: Key;
	#texts: CaptionTexts;
	#vocabularies: readonly VocabularySummary[] = [];
	#language: Language = 'en';
	#delayMilliseconds: number | null = null;
	#behindSeconds: number | null = null;

	/**
	 * @param texts - Texts of the place.
	 * @param page - The page around it.
	 */
	constructor(texts: CaptionTexts, page: Surroundings) {
		this.#texts = texts;
		this.#notice = page.notice;
		this.#key = page.key;
		this.#source = new SourceChoice(texts, () => void this.#live.changeSource());
		this.#model = new ModelChoice(texts, page.key, () => {
			this.#renderSpoken();
			byId('translate-choice', HTMLElement).hidden = !this.#model.translates;
			this.#showDataFlow();
			this.#live.changeSpeech();
		});
		this.#captions = new CaptionView(texts, () => {
			this.#offer.end();
			void this.#kept.change();
		});
		this.#kept = new KeptCaptions(this.#captions, page.keeper);
		this.#offer = new KeptOffer(texts, transcript => void this.open(transcript));
		this.#share = new ShareButton(() => page.key.value, page.notice);
		this.#live = this.#stream(page.key);
		this.#bind();
		new OptionsPanel();
		if (!isSecureContext) {
			this.#notice.show(problem('insecure'));
			this.#start.disabled = true;
			byId('example', HTMLButtonElement).hidden = true;
		}
	}

	/** ID of the captions on the page. */
	get id(): string {
		return this.#kept.id;
	}

	/** Whether it listens, or waits for its last captions. */
	get isOn(): boolean {
		return this.#live.state !== 'idle';
	}

	/** What the user has chosen for the recognition. */
	get speech(): SpeechChoice {
		return {
			model: this.#model.value,
			language: this.#spoken.value === '' ? null : this.#spoken.value,
			speakers: this.#speakers.checked,
			turnDetection: this.#turns.checked,
			task: this.#translate.checked && this.#model.translates ? 'translate' : 'transcribe',
			hotwords: splitHotwords(this.#hotwords.value),
			vocabulary: this.#vocabulary.value,
			...(this.#maxLag.value === '' ? {} : { maxLagSeconds: Number(this.#maxLag.value) }),
		};
	}

	/** Changes the language. */
	render(texts: CaptionTexts, language: Language): void {
		this.#texts = texts;
		this.#language = language;
		this.#model.render(texts);
		this.#renderSpoken();
		this.#showVocabularies(this.#vocabulary.value);
		this.#source.render(texts);
		this.#captions.render(texts);
		this.#offer.render(texts);
		this.#share.render(language);
		this.#showState(this.#live.state);
		this.#showDataFlow();
		this.#showDelay();
	}

	/** Whether the server has vocabularies; no while that is unknown. */
	get hasVocabularies(): boolean {
		return this.#model.hasVocabularies;
	}

	/** Whether the key has vocabularies; no while that is unknown. */
	get usesVocabularies(): boolean {
		return this.#vocabularies.length > 0;
	}

	/** Asks the server for its models and vocabularies. */
	async loadModels(): Promise<void> {
		await this.#model.load();
		await this.loadVocabularies();
	}

	/** Asks the server for the vocabularies of the key, if it has any. */
	async loadVocabularies(): Promise<void> {
		this.#vocabularies = this.hasVocabularies ? await listedVocabularies(this.#key.value) : [];
		this.#showVocabularies(stored('localStorage', VOCABULARY) ?? '');
	}

	/** Shows the page again in the place of the captions in full screen. */
	leaveFullScreen(): void {
		this.#captions.leaveFullScreen();
	}

	/** Shows those of these captions to which a page before was adding; offers the newest. */
	offer(kept: readonly KeptTranscript[]): void {
		const id = this.#return.take();
		const interrupted = id === null ? undefined : kept.find(each => each.id === id);
		if (interrupted !== undefined) {
			this.#offer.end();
			void this.open(interrupted);
			this.#notice.show(texts => texts.kept.returned, 'hint');
		}
		this.#offer.offer(kept.filter(({ id }) => id !== this.id));
	}

	/** Shows kept captions, to be continued; ignored while it listens. */
	async open(transcript: KeptTranscript): Promise<void> {
		if (!this.isOn) {
			await this.#kept.open(transcript);
			this.#offer.end();
		}
	}

	/** Leaves the captions to the place of recordings, and starts with none; returns whether it does not listen. */
	release(): boolean {
		if (!this.isOn) {
			this.#kept.release();
		}
		return !this.isOn;
	}

	#stream(key: Key): Live {
		const meter = new LevelMeter(byId('level', HTMLElement).firstElementChild as HTMLElement, isSilent => {
			if (this.#notice.sentence === (isSilent ? null : SILENT)) {
				this.#notice.show(isSilent ? SILENT : null, kindOf('silent')); // any other notice is more important
			}
		});
		const view = {
			showState: (state: LiveState) => this.#showState(state),
			showBehind: (seconds: number | null) => {
				this.#behindSeconds = seconds;
				this.#showDelay();
			},
			showSession: (session: string | null) => this.#share.showSession(session),
			showDelay: (milliseconds: number | null) => {
				this.#delayMilliseconds = milliseconds;
				this.#showDelay();
			},
			showPartial: this.#captions.showPartial.bind(this.#captions),
			showFinal: this.#captions.showFinal.bind(this.#captions),
			reviseSpeakers: this.#captions.reviseSpeakers.bind(this.#captions),
			showGap: this.#captions.showGap.bind(this.#captions),
			begin: () => this.#captions.begin(),
			end: () => this.#captions.dropGuesses(),
			showMedia: meter.watch.bind(meter),
			showProblem: this.#notice.show.bind(this.#notice),
		};
		return new Live(view, this.#source, key, () => this.speech);
	}

	#bind(): void {
		this.#start.addEventListener('click', () => void this.#live.startOrStop());
		this.#pause.addEventListener('click', () => void this.#live.pauseOrGoOn());
		byId('example', HTMLButtonElement).addEventListener('click', () => {
			void this.#live.startExample();
			this.#start.focus(); // this button is hidden next
		});
		for (const button of [this.#start, this.#pause]) {
			button.addEventListener('keydown', event => {
				if (event.repeat) {
					event.preventDefault(); // a held key counts as one press
				}
			});
		}
		for (const input of [this.#translate, this.#hotwords]) {
			input.addEventListener('change', () => this.#live.changeSpeech());
		}
		this.#vocabulary.addEventListener('change', () =>
			store('localStorage', VOCABULARY, this.#vocabulary.value),
		);
		this.#spoken.addEventListener('change', () => {
			const { value } = this.#spoken;
			store('localStorage', SPOKEN, value);
			if (value !== '') {
				store('localStorage', RECENT, withRecent(this.#recent, value).join(' '));
			}
			this.#live.changeSpeech();
		});
	}

	/** Codes of the languages chosen lately, the newest first. */
	get #recent(): string[] {
		return (stored('localStorage', RECENT) ?? '').split(' ');
	}

	#renderSpoken(): void {
		const known = this.#model.languages;
		const languages = namedLanguages(this.#language).filter(([code]) => known?.has(code) ?? true);
		const likely = likelyLanguages(languages, this.#recent, navigator.languages);
		const others = languages.filter(language => !likely.includes(language));
		const options = [likely, others].map(group => group.map(([code, name]) => new Option(name, code)));
		const [first = [], rest = []] = options;
		const line = first.length > 0 && rest.length > 0 ? [document.createElement('hr')] : [];
		this.#spoken.replaceChildren(new Option(this.#texts.spoken.auto, ''), ...first, ...line, ...rest);
		const chosen = stored('localStorage', SPOKEN) ?? '';
		this.#spoken.value = languages.some(([code]) => code === chosen) ? chosen : '';
	}

	#showVocabularies(chosen: string): void {
		const place = byId('vocabulary-choice', HTMLElement);
		showVocabularies(place, this.#vocabulary, this.#texts, this.#vocabularies, chosen);
	}

	#showState(state: LiveState): void {
		const { start, stop, pause, resume, states } = this.#texts;
		const isOn = state !== 'idle';
		setText(this.#start, isOn ? stop : start);
		this.#start.classList.toggle('on', isOn);
		this.#pause.hidden = !PAUSABLE.has(state) || this.#live.isExample;
		setText(this.#pause, state === 'paused' ? resume : pause);
		for (const input of [this.#vocabulary, this.#speakers, this.#turns, this.#maxLag]) {
			input.disabled = isOn; // a stream starts with them
		}
		byId('options-later', HTMLElement).hidden = !isOn;
		this.#showInvitation(state);
		this.#state.dataset['state'] = state;
		setText(this.#state, states[state]);
		this.#screenLock.hold(isOn);
		this.#return.note(isOn, this.id);
		this.#offer.isListening = isOn;
	}

	/** Says in the place of the captions what to expect, until the first one. */
	#showInvitation(state: LiveState): void {
		const { captions, states } = this.#texts;
		const { empty, starting, listening } = captions;
		const texts: Partial<Record<LiveState, string>> = { idle: empty, starting, listening };
		setText(byId('invitation', HTMLElement), texts[state] ?? states[state]);
		byId('empty', HTMLElement).dataset['state'] = state;
	}

	/** Says where speech and text go, once the server has said it. */
	#showDataFlow(): void {
		const flow = this.#model.dataFlow;
		if (flow !== null) {
			const element = byId('data-flow', HTMLElement);
			element.dataset['stays'] = String(isLocal(flow));
			setText(element, dataFlow(flow)(this.#texts));
		}
	}

	#showDelay(): void {
		const { delay, behind } = this.#texts;
		const ms = this.#delayMilliseconds;
		const usual = ms === null ? '' : delay((ms / 1000).toFixed(1));
		const text = this.#behindSeconds === null ? usual : behind(this.#behindSeconds.toFixed(0));
		byId('delay', HTMLElement).textContent = text;
	}
}

/** Returns the words of a list with commas, up to the limits of a stream. */
function splitHotwords(text: string): string[] {
	const words = text.split(/[,，、]/).map(word => word.trim().slice(0, MAX_HOTWORD_CHARACTERS));
	return words.filter(word => word !== '').slice(0, MAX_HOTWORDS);
}
