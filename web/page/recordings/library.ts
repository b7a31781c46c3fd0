/** All transcripts that the place can show: kept ones, those that could not be kept, and those of the server. */

import type { Match, TranscriptSummary } from '../../src/index.js';
import type { Keeper } from '../keeper.js';
import { excerpt as firstLines, type KeptTranscript } from '../kept.js';
import { isGap } from '../transcript.js';
import { MediaStore } from './media-store.js';
import { deletedIds, deletedOnServer } from './pending-deletions.js';
import { type ExcerptPart, excerptOf, findInText, findLines } from './search.js';
import { LIST_LIMIT, type ServerTranscripts } from './server-transcripts.js';

/** Prefix of the place's IDs for transcripts of the server, and of their copies. */
const ON_SERVER = 'server:';

/** A transcript in a list: of this browser, or only of the server. */
export interface ListedTranscript {
	/** ID in the place's address. */
	readonly id: string;
	readonly kept: KeptTranscript | null;
	readonly server: TranscriptSummary | null;
	/** Whether the server keeps a transcript of this browser, too. */
	readonly isOnServer: boolean;
	/** The beginning, or what a search found. */
	readonly excerpt: readonly ExcerptPart[];
	/** Number of lines that a search found. */
	readonly matches: number;
}

/** The transcripts and their audio. */
export class Library {
	readonly server: ServerTranscripts;
	readonly #keeper: Keeper;
	readonly #media = new MediaStore();
	/** Audio of this page, whether it is stored or not. */
	readonly #files = new Map<string, Blob>();
	/** Transcripts that could not be stored. */
	readonly #unstored = new Map<string, KeptTranscript>();
	#kept: readonly KeptTranscript[] = [];
	/** The newest ones of the server; `null`: unknown. */
	#onServer: readonly TranscriptSummary[] | null = null;

	/**
	 * @param keeper - Keeps transcripts in this browser.
	 * @param server - Those of the server.
	 */
	constructor(keeper: Keeper, server: ServerTranscripts) {
		this.#keeper = keeper;
		this.server = server;
	}

	/** Reads what this browser keeps; other tabs and the Live place change it, too. */
	async refresh(): Promise<void> {
		const kept = await this.#keeper.list();
		const stored = new Set(kept.map(({ id }) => id));
		for (const { id, changedAt } of kept) {
			if ((this.#unstored.get(id)?.changedAt ?? Infinity) <= changedAt) {
				this.#unstored.delete(id);
			}
		}
		this.#kept = [...this.#unstored.values(), ...kept.filter(({ id }) => !this.#unstored.has(id))];
		if (kept.length > 0) {
			await this.#media.retain(new Set([...stored, ...this.#files.keys()])); // an empty list may be a failure
		}
	}

	/**
	 * Asks the server for its transcripts; without an answer, the list stays as it is.
	 *
	 * @param keepsAny - Whether the server keeps transcripts; `null`: unknown.
	 */
	async refreshServer(keepsAny: boolean | null): Promise<void> {
		if (keepsAny !== null) {
			this.#onServer = keepsAny ? ((await this.server.list()) ?? this.#onServer) : [];
		}
	}

	/** Returns a kept transcript. */
	find(id: string): KeptTranscript | null {
		return this.#visible.find(kept => kept.id === id) ?? null;
	}

	/**
	 * Returns the IDs under which the server keeps a transcript of this browser; none while its list is unknown, as without
	 * a key. One that would be beyond a full list counts as kept.
	 */
	copiesOnServer(kept: KeptTranscript): readonly string[] {
		const listed = this.#onServer;
		if (listed === null) {
			return [];
		}
		const isFull = listed.length >= LIST_LIMIT;
		return idsOnServer(kept).filter(id => isFull || listed.some(each => each.id === id));
	}

	/** Returns the finished ones, the newest first: those of this browser, and those only the server has. */
	listed(): { readonly here: readonly ListedTranscript[]; readonly server: readonly ListedTranscript[] } {
		const here = this.#finished.map(kept => ({
			id: kept.id,
			kept,
			server: null,
			isOnServer: this.copiesOnServer(kept).length > 0,
			excerpt: [{ text: firstLines(kept), isMatch: false }],
			matches: 0,
		}));
		const server = (this.#onServer ?? []).flatMap(each => this.#listedServer(each, []));
		return { here, server };
	}

	/** Returns the finished ones of this browser that contain all words of a query in a line or in their name. */
	search(query: string): readonly ListedTranscript[] {
		return this.#finished.flatMap(kept => {
			const found = findLines(kept.lines, query);
			const [first] = found;
			const line = first === undefined ? undefined : kept.lines[first.line];
			const isNamed = findInText(kept.name, query) !== null;
			if (!isNamed && first === undefined) {
				return [];
			}
			const excerpt =
				first === undefined || line === undefined || isGap(line)
					? [{ text: firstLines(kept), isMatch: false }]
					: excerptOf(line.text, first.ranges);
			const isOnServer = this.copiesOnServer(kept).length > 0;
			return [{ id: kept.id, kept, server: null, isOnServer, excerpt, matches: found.length }];
		});
	}

	/** Returns those only the server has that contain all words of a query in a segment. */
	async searchServer(query: string, signal: AbortSignal): Promise<readonly ListedTranscript[]> {
		if (this.#onServer === null || this.#onServer.length === 0) {
			return [];
		}
		const byTranscript = new Map<string, Match[]>();
		for (const match of await this.server.search(query, signal)) {
			const { id } = match.transcript;
			byTranscript.set(id, [...(byTranscript.get(id) ?? []), match]);
		}
		return [...byTranscript.values()].flatMap(matches => {
			const [first] = matches;
			return first === undefined ? [] : this.#listedServer(first.transcript, matches, query);
		});
	}

	/** Lists a transcript that is being stored: it stays on the page even if that fails. */
	add(transcript: KeptTranscript): void {
		this.#unstored.set(transcript.id, transcript);
		this.#kept = [transcript, ...this.#kept.filter(({ id }) => id !== transcript.id)];
	}

	/** Keeps a transcript in the place of one with the same ID. */
	async keep(transcript: KeptTranscript): Promise<void> {
		this.add(transcript);
		if (await this.#keeper.keep(transcript)) {
			this.#unstored.delete(transcript.id);
		}
	}

	/** Deletes transcripts of this browser and their audio. */
	async remove(ids: readonly string[]): Promise<void> {
		for (const id of ids) {
			this.#unstored.delete(id);
			this.#files.delete(id);
		}
		this.#kept = this.#kept.filter(({ id }) => !ids.includes(id));
		await this.#keeper.remove(ids);
		await this.#media.remove(ids);
	}

	/**
	 * Deletes transcripts of the server.
	 *
	 * @throws ApiError if the server refuses, or can't be reached.
	 */
	async removeFromServer(ids: readonly string[]): Promise<void> {
		for (const id of ids) {
			await this.server.remove(id);
			this.#onServer = this.#onServer?.filter(each => each.id !== id) ?? null;
		}
	}

	/** Uses a file as the audio of a transcript, and keeps it if there is room. */
	async attach(id: string, file: Blob): Promise<void> {
		this.#files.set(id, file);
		await this.#media.put(id, file);
	}

	/** Returns the audio of a transcript; `null` if it is not in this browser. */
	async media(id: string): Promise<Blob | null> {
		return this.#files.get(id) ?? (await this.#media.get(id));
	}

	get #finished(): readonly KeptTranscript[] {
		return this.#visible.filter(({ job }) => job === null);
	}

	/** Those that don't wait for their deletion. */
	get #visible(): readonly KeptTranscript[] {
		const deleted = deletedIds();
		return this.#kept.filter(({ id }) => !deleted.has(id));
	}

	#listedServer(
		server: TranscriptSummary,
		matches: readonly Match[],
		query = '',
	): readonly ListedTranscript[] {
		const hasCopy = this.#visible.some(kept => idsOnServer(kept).includes(server.id));
		if (hasCopy || deletedOnServer().has(server.id)) {
			return []; // the copy of this browser is listed
		}
		const text = matches[0]?.segment.text;
		const excerpt = text === undefined ? [] : excerptOf(text, findInText(text, query) ?? []);
		const id = placeId(server.id);
		return [{ id, kept: null, server, isOnServer: true, excerpt, matches: matches.length }];
	}
}

/** Returns the place's ID of a transcript of the server. */
export function placeId(id: string): string {
	return ON_SERVER + id;
}

/** Returns the server's ID of a place's ID; `null` if it is of this browser. */
export function serverId(id: string): string | null {
	return id.startsWith(ON_SERVER) ? id.slice(ON_SERVER.length) : null;
}

/** Returns the server's IDs of a transcript of this browser: of the job's result, or of the one that was copied. */
function idsOnServer({ id, onServer = [] }: KeptTranscript): readonly string[] {
	const copied = serverId(id);
	return copied === null ? onServer : [copied, ...onServer];
}
