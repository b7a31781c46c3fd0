/** The voices that the server knows for the key: a list, each with a button that deletes it. */

import { ApiError, type KnownVoice, type Voices } from '../../src/index.js';
import { element, pressButton, setText } from '../dom.js';
import type { Key } from '../key.js';
import { clientOf } from '../server-client.js';
import type { PlaceTexts } from './texts.js';
import { VOICE_TEXTS } from './voice-texts.js';

/** The list; hidden where the server knows no voices, or none for this key. */
export class KnownVoices {
	readonly element = element('details', 'known-voices');
	readonly #key: Key;
	readonly #failed: (error: unknown) => void;
	readonly #removed: () => void;
	readonly #summary = element('summary');
	readonly #hint = element('p', 'note');
	readonly #list = element('ul');
	#texts: PlaceTexts;
	#voices: readonly KnownVoice[] = [];
	#canRemember = false;

	/**
	 * @param texts - Texts of the list.
	 * @param key - The key for the server.
	 * @param failed - Called if a voice could not be deleted.
	 * @param removed - Called after a voice was deleted, with its names; the list is hidden if it was the last one.
	 */
	constructor(texts: PlaceTexts, key: Key, failed: (error: unknown) => void, removed: () => void) {
		this.#texts = texts;
		this.#key = key;
		this.#failed = failed;
		this.#removed = removed;
		this.element.append(this.#summary, this.#hint, this.#list);
		this.#show();
	}

	/** Whether the server stores voices for this key. */
	get canRemember(): boolean {
		return this.#canRemember;
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		this.#show();
	}

	/** Asks the server; without an answer, the list stays as it is. */
	async refresh(): Promise<void> {
		try {
			this.#voices = await this.#api.list();
			this.#canRemember = true;
		} catch (error) {
			if (error instanceof ApiError && error.code !== 'unreachable') {
				this.#voices = [];
				this.#canRemember = false;
			}
		}
		this.#show();
	}

	/**
	 * Stores the voice of a speaker of a transcript, who has agreed to it.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	async remember(name: string, transcriptId: string, speaker: number): Promise<void> {
		await this.#api.remember({ name, transcriptId, speaker, consent: true });
		await this.refresh();
	}

	async #remove({ id, name }: KnownVoice): Promise<void> {
		if (!confirm(VOICE_TEXTS[this.#texts.language].confirm(name))) {
			return;
		}
		try {
			await this.#api.delete(id);
		} catch (error) {
			this.#failed(error);
		}
		await this.refresh();
		(this.#list.querySelector('button') ?? this.#summary).focus();
		this.#removed();
	}

	#show(): void {
		const own = VOICE_TEXTS[this.#texts.language];
		this.element.hidden = this.#voices.length === 0;
		setText(this.#summary, own.list(this.#voices.length));
		setText(this.#hint, own.hint);
		this.#list.replaceChildren(
			...this.#voices.map(voice => {
				const remove = pressButton('small', () => void this.#remove(voice));
				remove.textContent = own.remove;
				remove.setAttribute('aria-label', own.removeNamed(voice.name));
				return element('li', '', element('span', '', voice.name), remove);
			}),
		);
	}

	get #api(): Voices {
		return clientOf(this.#key.value).voices;
	}
}
