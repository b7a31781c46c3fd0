/** Transcripts that the server keeps (`/v1/transcripts`), if it does. */

import type { Key } from '../key.js';
import type { Line } from '../transcript.js';

const LIMIT = 100;
const LIST = 'v1/transcripts?';

/** A transcript on the server, without its text. */
export interface ServerTranscript {
	readonly id: string;
	/** API of the session; `job` for a file. */
	readonly source: string;
	readonly language: string;
	/** In milliseconds since 1970. */
	readonly startedAt: number;
	readonly endedAt: number;
}

/** A segment that a search found. */
export interface ServerMatch {
	readonly transcript: ServerTranscript;
	readonly text: string;
}

/** A transcript on the server with its text. */
export interface WholeServerTranscript extends ServerTranscript {
	readonly lines: readonly Line[];
}

interface TranscriptBody {
	readonly id: string;
	readonly source: string;
	readonly language: string;
	readonly started_at: number;
	readonly ended_at: number;
}

interface WholeBody extends TranscriptBody {
	readonly speakers: readonly { readonly speaker: number; readonly name: string | null }[];
	readonly segments: readonly {
		readonly start_ms: number;
		readonly end_ms: number;
		readonly text: string;
		readonly speaker?: number;
	}[];
}

/** Reads and changes them. A server that keeps none, or not for this key, has an empty list. */
export class ServerTranscripts {
	readonly #key: Key;
	/** A server keeps transcripts or not for as long as it runs. */
	#keepsNone = false;

	/** @param key - The key for the server. */
	constructor(key: Key) {
		this.#key = key;
	}

	/** Returns the newest ones. */
	async list(): Promise<readonly ServerTranscript[]> {
		if (this.#keepsNone) {
			return [];
		}
		const body = await this.#ask(`${LIST}limit=${LIMIT}`);
		return ((body as { transcripts?: readonly TranscriptBody[] } | null)?.transcripts ?? []).map(summary);
	}

	/** Returns segments that contain all words of a query, the newest first. */
	async search(query: string, signal: AbortSignal): Promise<readonly ServerMatch[]> {
		const parameters = new URLSearchParams({ q: query, limit: String(LIMIT) });
		const body = await this.#ask(`${LIST}${parameters}`, { signal });
		const { matches = [] } = (body ?? {}) as {
			matches?: readonly { transcript: TranscriptBody; segment: { text: string } }[];
		};
		return matches.map(({ transcript, segment }) => ({
			transcript: summary(transcript),
			text: segment.text,
		}));
	}

	/** Returns a transcript with its text; `null` if the server does not have it, or can't be reached. */
	async find(id: string): Promise<WholeServerTranscript | null> {
		const body = await this.#ask(`v1/transcripts/${encodeURIComponent(id)}`);
		return body === null ? null : whole(body as WholeBody);
	}

	/** Names a speaker, or merges it into another one; returns the changed transcript, `null` on failure. */
	async changeSpeaker(
		id: string,
		speaker: number,
		change: { readonly name: string } | { readonly merge_into: number },
	): Promise<WholeServerTranscript | null> {
		const body = await this.#ask(`v1/transcripts/${encodeURIComponent(id)}/speakers/${speaker}`, {
			method: 'PATCH',
			body: JSON.stringify(change),
		});
		return body === null ? null : whole(body as WholeBody);
	}

	/** Deletes a transcript on the server. */
	async remove(id: string): Promise<void> {
		await this.#ask(`v1/transcripts/${encodeURIComponent(id)}`, { method: 'DELETE' });
	}

	async #ask(path: string, request: RequestInit = {}): Promise<unknown> {
		const key = this.#key.value;
		const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
		if (request.body !== undefined) {
			headers['Content-Type'] = 'application/json';
		}
		try {
			const answer = await fetch(path, { ...request, headers, cache: 'no-store' });
			this.#keepsNone ||= path.startsWith(LIST) && answer.status === 404;
			return answer.status === 200 ? await answer.json() : null;
		} catch {
			return null;
		}
	}
}

function summary({ id, source, language, started_at, ended_at }: TranscriptBody): ServerTranscript {
	return { id, source, language, startedAt: 1000 * started_at, endedAt: 1000 * ended_at };
}

function whole(body: WholeBody): WholeServerTranscript {
	const names = new Map(body.speakers.map(({ speaker, name }) => [speaker, name]));
	const lines = body.segments.map(({ start_ms, end_ms, text, speaker }) => {
		const name = speaker === undefined ? null : (names.get(speaker) ?? null);
		return {
			startSeconds: start_ms / 1000,
			endSeconds: end_ms / 1000,
			text: text.trim(),
			language: body.language,
			...(speaker === undefined ? {} : { speaker }),
			...(name === null ? {} : { speakerName: name }),
		};
	});
	return { ...summary(body), lines };
}
