/** The chooser of the model; it is shown only if the server has more than one. */

import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import type { Key } from './key.js';
import type { DataFlow, ServedModel } from './models.js';
import { serverModels, VOCABULARIES } from './server-models.js';
import { store, stored } from './storage.js';

/** Name of the stored choice. */
export const CHOSEN_MODEL = 'auricle.model';

/** The chooser and the models of the server. */
export class ModelChoice {
	readonly #place = byId('model-choice', HTMLElement);
	readonly #select = byId('model', HTMLSelectElement);
	readonly #key: Key;
	readonly #onChange: () => void;
	#texts: CaptionTexts;
	#models: readonly ServedModel[] = [];
	#dataFlow: DataFlow | null = null;
	#hasVocabularies = false;

	/**
	 * @param texts - Texts of the chooser.
	 * @param key - The key for the server.
	 * @param onChange - Called after another model was chosen, and after the models arrived.
	 */
	constructor(texts: CaptionTexts, key: Key, onChange: () => void) {
		this.#texts = texts;
		this.#key = key;
		this.#onChange = onChange;
		this.#select.addEventListener('change', () => {
			store('localStorage', CHOSEN_MODEL, this.value || null);
			onChange();
		});
	}

	/** The chosen model; empty: the server's default. */
	get value(): string {
		return this.#select.value;
	}

	/** Codes of the chosen model's languages; `null`: unknown. */
	get languages(): ReadonlySet<string> | null {
		return this.#chosen?.languages ?? null;
	}

	/** Whether the chosen model translates into English; yes while that is unknown. */
	get translates(): boolean {
		return this.#chosen?.translates ?? true;
	}

	/** Where speech and text go from the server; `null`: unknown. */
	get dataFlow(): DataFlow | null {
		return this.#dataFlow;
	}

	/** Whether the server has vocabularies; no while that is unknown. */
	get hasVocabularies(): boolean {
		return this.#hasVocabularies;
	}

	get #chosen(): ServedModel | undefined {
		return this.#models.find(({ id }) => id === this.value) ?? this.#models[0];
	}

	/** Asks the server for its models; without an answer, the chooser stays as it is. */
	async load(): Promise<void> {
		const said = await serverModels(this.#key.value);
		if (said === null) {
			return; // the page asks for a key when one is needed
		}
		this.#models = said.models;
		this.#dataFlow = said.dataFlow;
		this.#hasVocabularies = said.apis.has(VOCABULARIES);
		this.#show(stored('localStorage', CHOSEN_MODEL) ?? '');
		this.#onChange();
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#show(this.value);
	}

	#show(chosen: string): void {
		const [first, ...others] = this.#models;
		this.#place.hidden = others.length === 0;
		if (first !== undefined && others.length > 0) {
			const options = others.map(({ id }) => new Option(id, id));
			this.#select.replaceChildren(new Option(this.#texts.model.usual(first.id), ''), ...options);
			this.#select.value = others.some(({ id }) => id === chosen) ? chosen : '';
		}
	}
}
