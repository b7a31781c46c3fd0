/** Where kept transcripts are stored: IndexedDB, behind a small interface. */

import { BrowserDatabase } from './browser-database.js';
import type { KeptTranscript } from './kept.js';

/** Stores transcripts by their IDs. Each call may fail: private windows, full disks, broken profiles. */
export interface TranscriptStore {
	/** Returns all records, unchecked. */
	all(): Promise<unknown[]>;
	/** Stores a transcript durably, in the place of one with the same ID. */
	put(transcript: KeptTranscript): Promise<void>;
	/** Removes transcripts. */
	delete(ids: readonly string[]): Promise<void>;
}

/** The store of this browser. */
export class IndexedDbStore implements TranscriptStore {
	readonly #database = new BrowserDatabase('auricle', 'transcripts');

	/** Returns all records, unchecked. */
	async all(): Promise<unknown[]> {
		const request = await this.#database.transact(
			'readonly',
			store => store.getAll() as IDBRequest<unknown[]>,
		);
		return request.result;
	}

	/** Stores a transcript durably. */
	async put(transcript: KeptTranscript): Promise<void> {
		await this.#database.transact('readwrite', store => store.put(transcript));
	}

	/** Removes transcripts. */
	async delete(ids: readonly string[]): Promise<void> {
		await this.#database.transact('readwrite', store => ids.map(id => store.delete(id)));
	}
}
