/** The key for the server, kept in this tab only. The field for it is there when the server asks. */

import { asBytes } from './bytes.js';
import { problem, type Sentence } from './caption-texts.js';
import { byId } from './dom.js';

const KEPT = 'auricle.key';
/** RFC 9110 §5.6.2: what the name of a subprotocol may hold, as which a browser shows a key to a WebSocket. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
/** A key that no server knows. */
const NONE = 'none';

/** The key, and the field for it. */
export class Key {
	readonly #form = byId('key-form', HTMLFormElement);
	readonly #field = byId('key', HTMLInputElement);
	readonly #then = new Set<() => void>();
	#focused: Element | null = null;

	/** @param tell - Says what is wrong with a key. */
	constructor(tell: (sentence: Sentence) => void) {
		this.#form.addEventListener('submit', event => {
			event.preventDefault();
			const key = asBytes(this.#field.value.trim());
			if (key === '') {
				tell(problem('unauthorized'));
				this.#field.focus();
				return;
			}
			sessionStorage.setItem(KEPT, key);
			this.#form.hidden = true;
			if (this.#focused instanceof HTMLElement) {
				this.#focused.focus(); // where it was before
			}
			const then = [...this.#then];
			this.#then.clear();
			then.forEach(go => go());
		});
	}

	/** What to show the server, as headers take it. */
	get value(): string | undefined {
		return sessionStorage.getItem(KEPT) ?? undefined;
	}

	/** The same for the live client: a key that can't be a subprotocol's name sends a token in its place. */
	get forSocket(): string | (() => Promise<string>) | undefined {
		const key = this.value;
		return key === undefined || TOKEN.test(key) ? key : () => token(key);
	}

	/** Asks for it because the server did with this code, and then goes on; returns what to say. */
	ask(code: string, then: () => void): Sentence {
		const isWrong = code === 'unauthorized' && this.value !== undefined;
		sessionStorage.removeItem(KEPT);
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

/** Whether a code means that a key is needed. */
export function asksForKey(code: string): boolean {
	return code === 'unauthorized' || code === 'token_expired';
}

/** Returns a token that stands for a key. */
async function token(key: string): Promise<string> {
	const headers = { Authorization: `Bearer ${key}` };
	const answer = await fetch('v1/auth/token', { method: 'POST', headers });
	if (!answer.ok && answer.status !== 401) {
		throw new Error(`the server answers with ${answer.status}`); // it is tried again
	}
	return answer.ok ? ((await answer.json()) as { token: string }).token : NONE;
}
