/** Keeps the audio of recordings in IndexedDB, so that they play after a reload. */

import { BrowserDatabase } from '../browser-database.js';
import { type KeptMedia, mediaToRemove } from './media-limits.js';

interface StoredMedia {
	readonly id: string;
	readonly file: Blob;
	readonly usedAt: number;
}

/**
 * The audio that this browser keeps. It is a copy of the user's own files: a failure costs only the player after a
 * reload, and is not reported.
 */
export class MediaStore {
	readonly #database = new BrowserDatabase('auricle.media', 'media');

	/** Keeps a recording's audio; returns whether it is stored. */
	async put(id: string, file: Blob): Promise<boolean> {
		try {
			const others = (await this.#all()).filter(media => media.id !== id);
			const removed = mediaToRemove(others.map(summary), file.size);
			if (removed === null) {
				return false;
			}
			const record: StoredMedia = { id, file, usedAt: Date.now() };
			await this.#database.transact('readwrite', store => {
				removed.forEach(each => store.delete(each));
				store.put(record);
			});
			return true;
		} catch {
			return false;
		}
	}

	/** Returns a recording's audio; `null` if it is not kept. */
	async get(id: string): Promise<Blob | null> {
		try {
			const request = await this.#database.transact(
				'readonly',
				store => store.get(id) as IDBRequest<StoredMedia | undefined>,
			);
			const media = request.result;
			if (media === undefined) {
				return null;
			}
			await this.#database.transact('readwrite', store => store.put({ ...media, usedAt: Date.now() }));
			return media.file;
		} catch {
			return null;
		}
	}

	/** Removes the audio of recordings. */
	async remove(ids: readonly string[]): Promise<void> {
		try {
			await this.#database.transact('readwrite', store => ids.forEach(id => store.delete(id)));
		} catch {
			return; // `retain` removes it later
		}
	}

	/** Removes the audio of all recordings but these. */
	async retain(ids: ReadonlySet<string>): Promise<void> {
		try {
			const removed = (await this.#all()).filter(({ id }) => !ids.has(id));
			if (removed.length > 0) {
				await this.#database.transact('readwrite', store => removed.forEach(({ id }) => store.delete(id)));
			}
		} catch {
			return; // the next call tries again
		}
	}

	async #all(): Promise<readonly StoredMedia[]> {
		const request = await this.#database.transact(
			'readonly',
			store => store.getAll() as IDBRequest<StoredMedia[]>,
		);
		return request.result;
	}
}

function summary({ id, file, usedAt }: StoredMedia): KeptMedia {
	return { id, bytes: file.size, usedAt };
}
