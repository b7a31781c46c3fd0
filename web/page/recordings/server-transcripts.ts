/** Transcripts that the server keeps, if it does. */

import {
	ApiError,
	type KeptTranscript as ServerTranscript,
	type Match,
	type TranscriptSummary,
} from '../../src/index.js';
import type { Key } from '../key.js';
import { clientOf } from '../server-client.js';
import type { ServerEdits } from './server-edits.js';

/** Maximum number of them in a list. */
export const LIST_LIMIT = 100;
/** Maximum number of changes in one request, as the server allows. */
const MAX_CHANGES = 100;

/** Reads and changes them. */
export class ServerTranscripts {
	readonly #key: Key;

	/** @param key - The key for the server. */
	constructor(key: Key) {
		this.#key = key;
	}

	/** Returns the newest ones; `null` if the server can't be asked now, or refuses the key. */
	async list(): Promise<readonly TranscriptSummary[] | null> {
		try {
			return await all(this.#transcripts.list({ limit: LIST_LIMIT }));
		} catch {
			return null;
		}
	}

	/** Returns segments that contain all words of a query, the newest first; none on failure. */
	async search(query: string, signal: AbortSignal): Promise<readonly Match[]> {
		try {
			return await all(this.#transcripts.search(query, { limit: LIST_LIMIT, signal }));
		} catch {
			return [];
		}
	}

	/** Returns a transcript with its text; `null` if the server does not have it, or can't be reached. */
	async find(id: string): Promise<ServerTranscript | null> {
		try {
			return await this.#transcripts.get(id);
		} catch {
			return null;
		}
	}

	/**
	 * Changes speakers and paragraphs; edits of what the server does not have are left out.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	async edit(id: string, { joins, paragraphs, names }: ServerEdits): Promise<void> {
		for (const { speaker, change } of joins) {
			if ('mergeInto' in change) {
				await unlessGone(this.#transcripts.mergeSpeakers(id, speaker, change.mergeInto));
			}
		}
		for (let at = 0; at < paragraphs.length; at += MAX_CHANGES) {
			await unlessGone(this.#transcripts.changeParagraphs(id, paragraphs.slice(at, at + MAX_CHANGES)));
		}
		for (const { speaker, change } of names) {
			if ('name' in change) {
				await unlessGone(this.#transcripts.renameSpeaker(id, speaker, change.name));
			}
		}
	}

	/**
	 * Deletes a transcript, unless the server has deleted it already.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	async remove(id: string): Promise<void> {
		await unlessGone(this.#transcripts.delete(id));
	}

	/** Asks the server to delete transcripts while the page ends; nothing reads the answer. */
	removeAtEnd(ids: readonly string[]): void {
		const { transcripts } = clientOf(this.#key.value, (url, init) =>
			fetch(url, { ...init, keepalive: true }),
		);
		ids.forEach(id => void transcripts.delete(id).catch(() => undefined));
	}

	get #transcripts() {
		return clientOf(this.#key.value).transcripts;
	}
}

/** Waits for a request; that the server does not have the transcript, or the speaker, is no failure. */
async function unlessGone(request: Promise<unknown>): Promise<void> {
	try {
		await request;
	} catch (error) {
		if (!(error instanceof ApiError && error.code === 'not_found')) {
			throw error;
		}
	}
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
	const found: T[] = [];
	for await (const item of items) {
		found.push(item);
	}
	return found;
}
