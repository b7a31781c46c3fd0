/** Events for one reader, in order, of which a slow one misses guesses only. Pure. */

import { AuricleError } from './errors.js';

/** A reader that leaves so many unread is told that it is too slow. */
export const MAX_UNREAD = 1024;

/** What is waited for: the next event, or the end. */
interface Waiter<T> {
	readonly resolve: (result: IteratorResult<T, undefined>) => void;
	readonly reject: (error: AuricleError) => void;
}

/** An async iterator that is fed. */
export class EventQueue<T extends { readonly type: string }> implements AsyncIterableIterator<T, undefined> {
	#unread: T[] = [];
	#waiters: Waiter<T>[] = [];
	#end: AuricleError | 'done' | null = null;

	/** Adds an event. A guess takes the place of one before it that nobody has read. */
	push(event: T): void {
		if (this.#end !== null) {
			return;
		}
		const waiter = this.#waiters.shift();
		if (waiter !== undefined) {
			waiter.resolve({ done: false, value: event });
			return;
		}
		if (event.type === 'partial' && this.#unread.at(-1)?.type === 'partial') {
			this.#unread.pop();
		}
		this.#unread.push(event);
		if (this.#unread.length > MAX_UNREAD) {
			this.end(new AuricleError('slow_reader', `${MAX_UNREAD} events were not read.`));
		}
	}

	/** Ends it after what is unread: well, or with an error. */
	end(failure: AuricleError | null): void {
		this.#end ??= failure ?? 'done';
		for (const waiter of this.#waiters.splice(0)) {
			this.#finish(waiter);
		}
	}

	/** Returns the next event. */
	next(): Promise<IteratorResult<T, undefined>> {
		return new Promise((resolve, reject) => {
			const value = this.#unread.shift();
			if (value !== undefined) {
				resolve({ done: false, value });
			} else if (this.#end !== null) {
				this.#finish({ resolve, reject });
			} else {
				this.#waiters.push({ resolve, reject });
			}
		});
	}

	/** Is called when a loop is left early. */
	return(): Promise<IteratorResult<T, undefined>> {
		this.#unread = [];
		this.end(null);
		return Promise.resolve({ done: true, value: undefined });
	}

	/** Returns itself: there is one reader. */
	[Symbol.asyncIterator](): this {
		return this;
	}

	#finish({ resolve, reject }: Waiter<T>): void {
		if (this.#end instanceof AuricleError) {
			reject(this.#end);
		} else {
			resolve({ done: true, value: undefined });
		}
	}
}
