/** Polls the server's status every 2 seconds while the page is visible. */

import { asBytes } from './bytes.js';
import { type Health, type History, type Past, mergeHistory } from './status-data.js';

const EVERY_MILLISECONDS = 2000;
const LIMIT_MILLISECONDS = 5000;

/** What the page knows of the server. */
export interface ServerState {
	readonly health: Health;
	readonly past: Past;
}

/** Polls until the page is closed. */
export class Poll {
	/** Sends this key; the operator's key shows stacks. */
	operatorKey = '';
	#known: ServerState | null = null;
	#awaySince: number | null = null;
	#requests = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;
	readonly #onAnswer: (known: ServerState | null, awaySince: number | null) => void;

	/** @param onAnswer - Called with what is known after each attempt. */
	constructor(onAnswer: (known: ServerState | null, awaySince: number | null) => void) {
		this.#onAnswer = onAnswer;
		document.addEventListener('visibilitychange', () => void this.ask());
	}

	/** Polls now, and schedules the next poll. */
	async ask(): Promise<void> {
		clearTimeout(this.#timer);
		if (document.hidden) {
			return;
		}
		const turn = ++this.#requests;
		let answers: [Health, History] | null = null;
		try {
			answers = await Promise.all([this.#get<Health>('health'), this.#get<History>('health/history')]);
		} catch {
			// Treated as unreachable.
		}
		if (turn !== this.#requests) {
			return; // the key was changed meanwhile
		}
		if (answers === null) {
			this.#awaySince ??= Date.now();
		} else {
			const [health, history] = answers;
			this.#awaySince = null;
			this.#known = { health, past: mergeHistory(this.#known?.past ?? null, history) };
		}
		this.#onAnswer(this.#known, this.#awaySince);
		this.#timer = setTimeout(() => void this.ask(), EVERY_MILLISECONDS);
	}

	/** Reports what is known once more. */
	showAgain(): void {
		if (this.#known !== null || this.#awaySince !== null) {
			this.#onAnswer(this.#known, this.#awaySince);
		}
	}

	async #get<Answer>(path: string): Promise<Answer> {
		const headers: Record<string, string> =
			this.operatorKey === '' ? {} : { Authorization: `Bearer ${asBytes(this.operatorKey)}` };
		const answer = await fetch(path, {
			headers,
			cache: 'no-store',
			signal: AbortSignal.timeout(LIMIT_MILLISECONDS),
		});
		if (!answer.ok) {
			throw new Error(`the server returned status ${answer.status}`);
		}
		return (await answer.json()) as Answer;
	}
}
