/** Where kept transcripts are stored: IndexedDB, behind a small interface. */

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

const DATABASE = 'auricle';
const VERSION = 1;
const TRANSCRIPTS = 'transcripts';
/** Some browsers never answer when their database is broken. */
const LIMIT_MILLISECONDS = 10_000;

/** The store of this browser. */
export class IndexedDbStore implements TranscriptStore {
	#database: Promise<IDBDatabase> | null = null;

	/** Returns all records, unchecked. */
	async all(): Promise<unknown[]> {
		const request = await this.#transact('readonly', store => store.getAll() as IDBRequest<unknown[]>);
		return request.result;
	}

	/** Stores a transcript durably. */
	async put(transcript: KeptTranscript): Promise<void> {
		await this.#transact('readwrite', store => store.put(transcript));
	}

	/** Removes transcripts. */
	async delete(ids: readonly string[]): Promise<void> {
		await this.#transact('readwrite', store => ids.map(id => store.delete(id)));
	}

	async #transact<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => T): Promise<T> {
		const work = async (): Promise<T> => {
			const database = await (this.#database ??= this.#open());
			const transaction = database.transaction(TRANSCRIPTS, mode, { durability: 'strict' });
			const used = use(transaction.objectStore(TRANSCRIPTS));
			await new Promise<void>((resolve, reject) => {
				transaction.oncomplete = () => resolve();
				transaction.onabort = () => reject(failure(transaction.error));
			});
			return used;
		};
		try {
			return await inTime(work());
		} catch (error) {
			this.#database = null; // the next call opens it again
			throw error;
		}
	}

	#open(): Promise<IDBDatabase> {
		return new Promise((resolve, reject) => {
			const request = indexedDB.open(DATABASE, VERSION);
			request.onupgradeneeded = () => request.result.createObjectStore(TRANSCRIPTS, { keyPath: 'id' });
			request.onerror = () => reject(failure(request.error));
			request.onsuccess = () => {
				const database = request.result;
				database.onclose = () => (this.#database = null); // the user has deleted the site's data
				database.onversionchange = () => {
					database.close(); // a newer page needs it
					this.#database = null;
				};
				resolve(database);
			};
		});
	}
}

function failure(error: DOMException | null): DOMException {
	return error ?? new DOMException('The database failed.', 'AbortError');
}

async function inTime<T>(work: Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const late = new Promise<never>((_, reject) => {
		const fail = (): void => reject(new DOMException('The database does not answer.', 'TimeoutError'));
		timer = setTimeout(fail, LIMIT_MILLISECONDS);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}
