/** Transcripts that the server keeps, if it does. */

import {
	ApiError,
	type KeptTranscript as ServerTranscript,
	type Match,
	type TranscriptSummary,
} from '../../src/index.js';
import type { Key } from '../key.js';
import { clientOf } from '../server-client.js';
import type { SpeakerEdit } from './speaker-edits.js';

/** Maximum number of them in a list. */
export const LIST_LIMIT = 100;

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
	 * Names a speaker, or merges it into another one; returns the changed transcript.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	edit(id: string, { speaker, change }: SpeakerEdit): Promise<ServerTranscript> {
		return 'name' in change
			? this.#transcripts.renameSpeaker(id, speaker, change.name)
			: this.#transcripts.mergeSpeakers(id, speaker, change.mergeInto);
	}

	/**
	 * Deletes a transcript, unless the server has deleted it already.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	async remove(id: string): Promise<void> {
		try {
			await this.#transcripts.delete(id);
		} catch (error) {
			if (!isGone(error)) {
				throw error;
			}
		}
	}

	get #transcripts() {
		return clientOf(this.#key.value).transcripts;
	}
}

/** Returns whether an error means that the server does not have the transcript, or the speaker. */
export function isGone(error: unknown): boolean {
	return error instanceof ApiError && error.code === 'not_found';
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
	const found: T[] = [];
	for await (const item of items) {
		found.push(item);
	}
	return found;
}
