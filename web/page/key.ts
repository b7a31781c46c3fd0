/** The key for the server, kept in this tab only. The field for it is there when the server asks. */

import { problem, type Sentence } from './caption-texts.js';
import { byId } from './dom.js';

const KEPT = 'auricle.key';

/** The key, and the field for it. */
export class Key {
	readonly #form = byId('key-form', HTMLFormElement);
	readonly #field = byId('key', HTMLInputElement);
	#then: (() => void) | null = null;

	constructor() {
		this.#form.addEventListener('submit', event => {
			event.preventDefault();
			const key = this.#field.value.trim();
			if (key === '') {
				return;
			}
			sessionStorage.setItem(KEPT, key);
			this.#form.hidden = true;
			this.#then?.();
		});
	}

	/** What to show the server. */
	get value(): string | undefined {
		return sessionStorage.getItem(KEPT) ?? undefined;
	}

	/** Asks for it because the server did with this code; returns what to say. */
	ask(code: string, then: () => void): Sentence {
		const isWrong = code === 'unauthorized' && this.value !== undefined;
		sessionStorage.removeItem(KEPT);
		this.#field.value = '';
		this.#form.hidden = false;
		this.#field.focus();
		this.#then = then;
		return problem(isWrong ? 'wrong_key' : code);
	}
}

/** Whether a code means that a key is needed. */
export function asksForKey(code: string): boolean {
	return code === 'unauthorized' || code === 'token_expired';
}
