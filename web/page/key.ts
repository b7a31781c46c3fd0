/** The key for the server, kept in this tab only, and its field, which is shown when the server requires a key. */

import { asBytes } from './bytes.js';
import { problem, type Sentence } from './caption-texts.js';
import { byId } from './dom.js';
import { store, stored } from './storage.js';

const KEPT = 'auricle.key';
/** RFC 9110 §5.6.2: characters of a subprotocol's name, as which a browser sends a key to a WebSocket. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
/** A key that no server accepts. */
const NONE = 'none';

/** The key and its field. */
export class Key {
	readonly #form = byId('key-form', HTMLFormElement);
	readonly #field = byId('key', HTMLInputElement);
	readonly #then = new Set<() => void>();
	#focused: Element | null = null;

	/** @param showProblem - Reports a problem with a key. */
	constructor(showProblem: (sentence: Sentence) => void) {
		this.#form.addEventListener('submit', event => {
			event.preventDefault();
			const key = asBytes(this.#field.value.trim());
			if (key === '') {
				showProblem(problem('unauthorized'));
				this.#field.focus();
				return;
			}
			store('sessionStorage', KEPT, key);
			this.#form.hidden = true;
			if (this.#focused instanceof HTMLElement) {
				this.#focused.focus(); // restore the focus
			}
			const then = [...this.#then];
			this.#then.clear();
			then.forEach(go => go());
		});
	}

	/** The key for the server, encoded for headers. */
	get value(): string | undefined {
		return stored('sessionStorage', KEPT) ?? undefined;
	}

	/** The key for the live client: a token replaces a key that is not a valid subprotocol name. */
	get forSocket(): string | (() => Promise<string>) | undefined {
		const key = this.value;
		return key === undefined || TOKEN.test(key) ? key : () => token(key);
	}

	/** Asks the user for a key after this code, then continues; returns the text to show. */
	ask(code: string, then: () => void): Sentence {
		const isWrong = code === 'unauthorized' && this.value !== undefined;
		store('sessionStorage', KEPT, null);
		this.#field.value = '';
		if (this.#form.hidden) {
			this.#focused = document.activeElement;
		}
		this.#form.hidden = false;
		this.#field.focus();
		this.#then.add(then);
		return problem(isWrong ? 'wrong_key' : code);
	}
}

/** Returns whether a code means that a key is needed. */
export function asksForKey(code: string): boolean {
	return code === 'unauthorized' || code === 'token_expired';
}

/** Returns a token for a key. */
async function token(key: string): Promise<string> {
	const headers = { Authorization: `Bearer ${key}` };
	const answer = await fetch('v1/auth/token', { method: 'POST', headers });
	if (!answer.ok && answer.status !== 401) {
		throw new Error(`the server returned status ${answer.status}`); // the client retries
	}
	return answer.ok ? ((await answer.json()) as { token: string }).token : NONE;
}
