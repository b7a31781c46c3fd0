/**
 * Deletes transcripts 10 s after the user has asked for it, unless that is undone.
 *
 * Closing the page ends the wait: the server is asked at once, and what this page can't finish, the next one does.
 */

import { newId } from '../claim.js';
import {
	type Deletion,
	dropDeletion,
	MAX_PENDING,
	pendingDeletions,
	putDeletion,
} from './pending-deletions.js';

/** Time to undo a deletion. */
export const UNDO_MILLISECONDS = 10_000;
/** The page that waits is asked first. */
const GRACE_MILLISECONDS = 2000;

/** What is deleted where. */
export type Deleted = Pick<Deletion, 'ids' | 'onServer' | 'name'>;

/** Deletes transcripts for good. */
export interface Deleter {
	/** Deletes transcripts of this browser. */
	here(ids: readonly string[]): Promise<void>;
	/**
	 * Deletes transcripts of the server.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	onServer(ids: readonly string[]): Promise<void>;
	/** Asks the server for the same while the page ends; nothing reads the answer. */
	onServerAtEnd(ids: readonly string[]): void;
}

/** What the page shows of it. */
export interface DeletionListener {
	/** These can be undone now, the oldest first. */
	changed(undoable: readonly Deletion[]): void;
	/** The server did not delete a transcript: it is listed again. */
	failed(error: unknown): void;
}

/** The deletions of this page. */
export class Deletions {
	readonly #deleter: Deleter;
	readonly #listener: DeletionListener;
	/** Those of this page, with their timers. */
	readonly #own = new Map<string, ReturnType<typeof setTimeout>>();
	/** Those that are being carried out. */
	readonly #working = new Set<string>();

	/**
	 * @param deleter - Deletes for good.
	 * @param listener - Shows what can be undone.
	 */
	constructor(deleter: Deleter, listener: DeletionListener) {
		this.#deleter = deleter;
		this.#listener = listener;
	}

	/** Hides transcripts now, and deletes them when the time to undo it is over. */
	add(deleted: Deleted): void {
		const [oldest] = this.#undoable();
		if (oldest !== undefined && pendingDeletions().length >= MAX_PENDING) {
			void this.#finish(oldest, true);
		}
		const deletion = { ...deleted, id: newId(), at: Date.now() + UNDO_MILLISECONDS };
		putDeletion(deletion);
		this.#own.set(
			deletion.id,
			setTimeout(() => void this.#finish(deletion, true), UNDO_MILLISECONDS),
		);
		this.#listener.changed(this.#undoable());
	}

	/** Takes a deletion back; it has no effect once it is being carried out. */
	undo(id: string): void {
		if (this.#own.has(id)) {
			this.#release(id);
			dropDeletion(id);
			this.#listener.changed(this.#undoable());
		}
	}

	/** Carries out what pages before have left. */
	async sweep(): Promise<void> {
		const isDue = ({ id, at }: Deletion): boolean =>
			!this.#own.has(id) && at + GRACE_MILLISECONDS <= Date.now();
		for (const deletion of pendingDeletions().filter(isDue)) {
			await this.#finish(deletion, false);
		}
	}

	/** Ends the wait: the page is being closed. */
	close(): void {
		for (const deletion of this.#undoable()) {
			this.#release(deletion.id);
			putDeletion({ ...deletion, at: 0 }); // the next page finishes it
			if (deletion.onServer.length > 0) {
				this.#deleter.onServerAtEnd(deletion.onServer);
			}
			void this.#deleter.here(deletion.ids);
		}
		this.#listener.changed([]);
	}

	#undoable(): readonly Deletion[] {
		return pendingDeletions().filter(({ id }) => this.#own.has(id));
	}

	#release(id: string): void {
		clearTimeout(this.#own.get(id));
		this.#own.delete(id);
	}

	/** Deletes for good, on the server first. A failure brings back the transcripts of this page, which can report it. */
	async #finish(deletion: Deletion, isOwn: boolean): Promise<void> {
		const { id, ids, onServer } = deletion;
		if (this.#working.has(id)) {
			return;
		}
		this.#working.add(id);
		this.#release(id);
		if (isOwn) {
			this.#listener.changed(this.#undoable());
		}
		try {
			await this.#deleter.onServer(onServer);
		} catch (error) {
			if (isOwn) {
				dropDeletion(id);
				this.#listener.failed(error);
			} else {
				await this.#deleter.here(ids);
				putDeletion({ ...deletion, ids: [] }); // a later page asks the server again
			}
			return;
		} finally {
			this.#working.delete(id);
		}
		await this.#deleter.here(ids);
		dropDeletion(id);
	}
}
