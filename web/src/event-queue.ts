/** Events for one reader, in order; a slow reader misses only partials. Pure. */

import { AuricleError } from './errors.js';

/** Maximum number of unread events; beyond it the reader gets an error. */
export const MAX_UNREAD = 1024;

/** A pending read: of the next event, or the end. */
interface Waiter<T> {
	readonly resolve: (result: IteratorResult<T, undefined>) => void;
	readonly reject: (error: AuricleError) => void;
}

/** An async iterator over pushed events. */
export class EventQueue<T extends { readonly type: string }> implements AsyncIterableIterator<T, undefined> {
	#unread: T[] = [];
	#waiters: Waiter<T>[] = [];
	#end: AuricleError | 'done' | null = null;

	/** Adds an event. A partial replaces an unread one directly before it. */
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

	/** Ends the queue after the unread events, with or without an error. */
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

	/** Called when a loop is left early. */
	return(): Promise<IteratorResult<T, undefined>> {
		this.#unread = [];
		this.end(null);
		return Promise.resolve({ done: true, value: undefined });
	}

	/** Returns itself: there is only one reader. */
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
