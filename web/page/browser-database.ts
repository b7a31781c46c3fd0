/** A database of this browser (IndexedDB) with one object store, whose calls fail in time. */

/** Some browsers never answer when their database is broken. */
const LIMIT_MILLISECONDS = 10_000;
const VERSION = 1;

/** A database with one object store, whose records have an `id`. */
export class BrowserDatabase {
	readonly #name: string;
	readonly #store: string;
	#database: Promise<IDBDatabase> | null = null;

	/**
	 * @param name - Name of the database.
	 * @param store - Name of its object store.
	 */
	constructor(name: string, store: string) {
		this.#name = name;
		this.#store = store;
	}

	/**
	 * Runs a transaction, and returns what `use` returned once it is complete, durably if it writes.
	 *
	 * @throws DOMException if the database fails, is forbidden or does not answer.
	 */
	async transact<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => T): Promise<T> {
		const work = async (): Promise<T> => {
			const database = await (this.#database ??= this.#open());
			const transaction = database.transaction(this.#store, mode, { durability: 'strict' });
			const used = use(transaction.objectStore(this.#store));
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
			const request = indexedDB.open(this.#name, VERSION);
			request.onupgradeneeded = () => request.result.createObjectStore(this.#store, { keyPath: 'id' });
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
