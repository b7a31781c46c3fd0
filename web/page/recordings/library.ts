/** All transcripts that the place can show: kept ones, those that could not be kept, and those of the server. */

import type { Keeper } from '../keeper.js';
import { excerpt as firstLines, type KeptTranscript } from '../kept.js';
import { isGap } from '../transcript.js';
import { MediaStore } from './media-store.js';
import { type ExcerptPart, excerptOf, findInText, findLines } from './search.js';
import type { ServerMatch, ServerTranscript, ServerTranscripts } from './server-transcripts.js';

/** Prefix of the place's IDs for transcripts of the server, and of their copies. */
const ON_SERVER = 'server:';

/** A transcript in a list. */
export interface ListedTranscript {
	/** ID in the place's address. */
	readonly id: string;
	readonly kept: KeptTranscript | null;
	readonly server: ServerTranscript | null;
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
	#onServer: readonly ServerTranscript[] = [];

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

	/** Asks the server for its transcripts. */
	async refreshServer(): Promise<void> {
		this.#onServer = await this.server.list();
	}

	/** Returns a kept transcript. */
	find(id: string): KeptTranscript | null {
		return this.#kept.find(kept => kept.id === id) ?? null;
	}

	/** Returns the finished ones, the newest first: those of this browser, and those only the server has. */
	listed(): { readonly here: readonly ListedTranscript[]; readonly server: readonly ListedTranscript[] } {
		const here = this.#finished.map(kept => ({
			id: kept.id,
			kept,
			server: null,
			excerpt: [{ text: firstLines(kept), isMatch: false }],
			matches: 0,
		}));
		const server = this.#onServer.flatMap(each => this.#listedServer(each, []));
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
			return [{ id: kept.id, kept, server: null, excerpt, matches: found.length }];
		});
	}

	/** Returns those only the server has that contain all words of a query in a segment. */
	async searchServer(query: string, signal: AbortSignal): Promise<readonly ListedTranscript[]> {
		if (this.#onServer.length === 0) {
			return [];
		}
		const byTranscript = new Map<string, ServerMatch[]>();
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
		return this.#kept.filter(({ job }) => job === null);
	}

	#listedServer(
		server: ServerTranscript,
		matches: readonly ServerMatch[],
		query = '',
	): readonly ListedTranscript[] {
		const id = placeId(server.id);
		if (this.find(id) !== null) {
			return []; // its copy is listed
		}
		const [first] = matches;
		const excerpt = first === undefined ? [] : excerptOf(first.text, findInText(first.text, query) ?? []);
		return [{ id, kept: null, server, excerpt, matches: matches.length }];
	}
}

/** Returns the place's ID of a transcript of the server. */
export function placeId(serverId: string): string {
	return ON_SERVER + serverId;
}

/** Returns the server's ID of a place's ID; `null` if it is of this browser. */
export function serverId(id: string): string | null {
	return id.startsWith(ON_SERVER) ? id.slice(ON_SERVER.length) : null;
}
