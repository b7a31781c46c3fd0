/** How the next files are transcribed: language, model, speakers, words to know; remembered by the browser. */

import type { VocabularySummary } from '../../src/index.js';
import { element } from '../dom.js';
import type { Key } from '../key.js';
import { namedLanguages } from '../languages.js';
import { SPOKEN, VOCABULARY as LIVE_VOCABULARY } from '../live-place.js';
import { CHOSEN_MODEL } from '../model-choice.js';
import type { ServedModel } from '../models.js';
import { serverModels, VOCABULARIES } from '../server-models.js';
import { store, stored } from '../storage.js';
import { listedVocabularies, showVocabularies } from '../vocabulary-choice.js';
import type { PlaceTexts } from './texts.js';

const LANGUAGE = 'auricle.files.language';
const MODEL = 'auricle.files.model';
const SPEAKERS = 'auricle.files.speakers';
const NUM_SPEAKERS = 'auricle.files.num-speakers';
const TRANSLATE = 'auricle.files.translate';
const HOTWORDS = 'auricle.files.hotwords';
const VOCABULARY = 'auricle.files.vocabulary';
/** The server's limit for all of them together is higher. */
const MAX_HOTWORDS_CHARACTERS = 1000;

/** The server's `MAX_SPEAKERS`. */
const MAX_SPEAKERS = 16;

/** Files don't wait for a server that does not answer. */
const LIMIT_MILLISECONDS = 3000;

/** The choice for a file. */
export interface FileChoice {
	/** Empty: the server's default. */
	readonly model: string;
	/** `null`: detected. */
	readonly language: string | null;
	readonly speakers: boolean;
	/** Number of speakers; `null`: unknown. */
	readonly numSpeakers: number | null;
	/** Whether to translate into English. */
	readonly translates: boolean;
	/** Separated by commas. */
	readonly hotwords: string;
	/** Empty: the default one of the key, if it has one. */
	readonly vocabulary: string;
}

/** The controls of the choice. */
export class FileOptions {
	readonly element = element('details', 'file-options');
	readonly #summary = element('summary');
	readonly #language = element('select');
	readonly #model = element('select');
	readonly #speakers = element('input');
	readonly #numSpeakers = element('select');
	readonly #translate = element('input');
	readonly #hotwords = element('input', 'field');
	readonly #vocabulary = element('select');
	readonly #labels = {
		language: element('span'),
		model: element('span'),
		speakers: element('span'),
		numSpeakers: element('span'),
		translate: element('span'),
		hotwords: element('span'),
		vocabulary: element('span'),
	};
	readonly #modelChoice = element('label', 'choice', this.#labels.model, this.#model);
	readonly #vocabularyChoice = element('label', 'choice', this.#labels.vocabulary, this.#vocabulary);
	readonly #numChoice = element('label', 'choice', this.#labels.numSpeakers, this.#numSpeakers);
	readonly #translateChoice = element('label', 'option', this.#translate, this.#labels.translate);
	readonly #key: Key;
	#texts: PlaceTexts;
	#models: readonly ServedModel[] = [];
	#vocabularies: readonly VocabularySummary[] = [];
	#hasVocabularies = false;
	#keepsTranscripts: boolean | null = null;

	/**
	 * @param texts - Texts of the controls.
	 * @param key - The key for the server.
	 */
	constructor(texts: PlaceTexts, key: Key) {
		this.#texts = texts;
		this.#key = key;
		this.element.open = matchMedia('(min-width: 48rem)').matches;
		this.#speakers.type = 'checkbox';
		this.#speakers.checked = stored('localStorage', SPEAKERS) === '1';
		const counts = Array.from({ length: MAX_SPEAKERS }, (_, index) => String(index + 1));
		this.#numSpeakers.append(new Option('', ''), ...counts.map(count => new Option(count, count)));
		this.#numSpeakers.value = stored('localStorage', NUM_SPEAKERS) ?? '';
		this.#translate.type = 'checkbox';
		this.#translate.checked = stored('localStorage', TRANSLATE) === '1';
		this.#hotwords.type = 'text';
		this.#hotwords.autocomplete = 'off';
		this.#hotwords.maxLength = MAX_HOTWORDS_CHARACTERS;
		this.#hotwords.value = stored('localStorage', HOTWORDS) ?? '';
		this.#language.addEventListener('change', () => store('localStorage', LANGUAGE, this.#language.value));
		this.#speakers.addEventListener('change', () => {
			store('localStorage', SPEAKERS, this.#speakers.checked ? '1' : '');
			this.#showChoices();
		});
		this.#numSpeakers.addEventListener('change', () =>
			store('localStorage', NUM_SPEAKERS, this.#numSpeakers.value),
		);
		this.#translate.addEventListener('change', () =>
			store('localStorage', TRANSLATE, this.#translate.checked ? '1' : ''),
		);
		this.#hotwords.addEventListener('change', () => store('localStorage', HOTWORDS, this.#hotwords.value));
		this.#vocabulary.addEventListener('change', () =>
			store('localStorage', VOCABULARY, this.#vocabulary.value),
		);
		this.#model.addEventListener('change', () => {
			store('localStorage', MODEL, this.#model.value);
			this.#showLanguages();
		});
		const controls = element(
			'div',
			'file-controls',
			element('label', 'choice', this.#labels.language, this.#language),
			this.#modelChoice,
			this.#vocabularyChoice,
			element('label', 'choice', this.#labels.hotwords, this.#hotwords),
			this.#translateChoice,
			element('label', 'option', this.#speakers, this.#labels.speakers),
			this.#numChoice,
		);
		this.element.append(this.#summary, controls);
		this.render(texts);
	}

	/** The choice. */
	get value(): FileChoice {
		return {
			model: this.#model.value,
			language: this.#language.value === '' ? null : this.#language.value,
			speakers: this.#speakers.checked,
			numSpeakers: this.#numSpeakers.value === '' ? null : Number(this.#numSpeakers.value),
			translates: this.#translate.checked && this.#canTranslate,
			hotwords: this.#hotwords.value.trim(),
			vocabulary: this.#vocabulary.value,
		};
	}

	/** Whether the server keeps transcripts; `null`: it has not said it yet. */
	get keepsTranscripts(): boolean | null {
		return this.#keepsTranscripts;
	}

	/** Whether the server has vocabularies; no while that is unknown. */
	get hasVocabularies(): boolean {
		return this.#hasVocabularies;
	}

	/** Changes the language of the controls. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		this.#summary.textContent = texts.own.fresh.options;
		this.#labels.language.textContent = texts.page.spoken.label;
		this.#labels.model.textContent = texts.page.model.label;
		this.#labels.speakers.textContent = texts.page.speakers.label;
		this.#labels.numSpeakers.textContent = texts.own.fresh.numSpeakers;
		this.#numSpeakers.options[0]?.replaceChildren(texts.page.spoken.auto);
		this.#labels.translate.textContent = texts.page.translate.label;
		this.#labels.hotwords.textContent = texts.page.hotwords.label;
		this.#hotwords.placeholder = texts.page.hotwords.hint;
		this.#labels.vocabulary.textContent = texts.page.vocabulary.label;
		this.#showModels();
		this.#showVocabularies();
	}

	/** Asks the server for its models, vocabularies, and whether it keeps transcripts; without an answer, the controls stay. */
	async load(): Promise<void> {
		const signal = AbortSignal.timeout(LIMIT_MILLISECONDS);
		const said = await serverModels(this.#key.value, signal);
		if (said !== null) {
			this.#hasVocabularies = said.apis.has(VOCABULARIES);
			this.#vocabularies = this.#hasVocabularies ? await listedVocabularies(this.#key.value, signal) : [];
			this.#showVocabularies();
			this.#models = said.models;
			this.#keepsTranscripts = said.dataFlow?.keepsTranscripts ?? null;
			this.#showModels();
		} // otherwise, the next entry of the place asks again
	}

	#showVocabularies(): void {
		const id = chosen(VOCABULARY, LIVE_VOCABULARY);
		const place = this.#vocabularyChoice;
		showVocabularies(place, this.#vocabulary, this.#texts.page, this.#vocabularies, id);
	}

	#showModels(): void {
		const [first, ...others] = this.#models;
		const id = chosen(MODEL, CHOSEN_MODEL);
		this.#modelChoice.hidden = others.length === 0;
		const usual = first === undefined ? '' : this.#texts.page.model.usual(first.id);
		this.#model.replaceChildren(new Option(usual, ''), ...others.map(({ id }) => new Option(id, id)));
		this.#model.value = others.some(other => other.id === id) ? id : '';
		this.#showLanguages();
	}

	/** The chosen model; `undefined`: the server has not said what it has. */
	get #chosen(): ServedModel | undefined {
		return this.#models.find(({ id }) => id === this.#model.value) ?? this.#models[0];
	}

	get #canTranslate(): boolean {
		return this.#chosen?.translates ?? true;
	}

	/** Shows the choices that the others leave. */
	#showChoices(): void {
		this.#numChoice.hidden = !this.#speakers.checked;
		this.#translateChoice.hidden = !this.#canTranslate;
	}

	#showLanguages(): void {
		this.#showChoices();
		const known = this.#chosen?.languages;
		const languages = namedLanguages(this.#texts.language).filter(([code]) => known?.has(code) ?? true);
		const language = chosen(LANGUAGE, SPOKEN);
		this.#language.replaceChildren(
			new Option(this.#texts.page.spoken.auto, ''),
			...languages.map(([code, name]) => new Option(name, code)),
		);
		this.#language.value = languages.some(([code]) => code === language) ? language : '';
	}
}

/** Returns a stored choice; until there is one, that of the Live place. */
function chosen(name: string, inLive: string): string {
	return stored('localStorage', name) ?? stored('localStorage', inLive) ?? '';
}
