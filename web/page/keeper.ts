/** Writes transcripts to the store while they grow, and knows what is not written yet. */

import { beyondLimits, KEEP_LIMITS, type KeptTranscript, parseKept } from './kept.js';
import type { TranscriptStore } from './kept-store.js';

/** The kept transcripts of this browser. */
export class Keeper {
	readonly #store: TranscriptStore;
	readonly #whenFailing: (isFailing: boolean) => void;
	readonly #limits: typeof KEEP_LIMITS;
	/** Changes that are not stored yet, by ID; `null` removes a transcript. */
	readonly #pending = new Map<string, KeptTranscript | null>();
	#writing: Promise<void> | null = null;

	/**
	 * @param store - Where they are stored.
	 * @param whenFailing - Reports whether the last write failed.
	 * @param limits - Limits for all transcripts.
	 */
	constructor(store: TranscriptStore, whenFailing: (isFailing: boolean) => void, limits = KEEP_LIMITS) {
		this.#store = store;
		this.#whenFailing = whenFailing;
		this.#limits = limits;
	}

	/** Whether closing the page now would lose text. */
	get isUnsaved(): boolean {
		return [...this.#pending.values()].some(transcript => transcript !== null);
	}

	/** Keeps a transcript in the place of one with the same ID; returns whether it is stored. */
	async keep(transcript: KeptTranscript): Promise<boolean> {
		this.#pending.set(transcript.id, transcript);
		await this.#write();
		return !this.#pending.has(transcript.id);
	}

	/** Removes transcripts. */
	async remove(ids: readonly string[]): Promise<void> {
		ids.forEach(id => this.#pending.set(id, null));
		if (ids.length > 0) {
			await this.#write();
		}
	}

	/** Returns the stored transcripts, the newest first, after the removal of those beyond the limits; none on failure. */
	async list(): Promise<readonly KeptTranscript[]> {
		try {
			const kept = parseKept(await this.#store.all()).filter(({ id }) => this.#pending.get(id) !== null);
			const excess = new Set(beyondLimits(kept, Date.now(), this.#limits));
			if (excess.size > 0) {
				await this.#store.delete([...excess]);
			}
			return kept.filter(({ id }) => !excess.has(id));
		} catch {
			return []; // a failing write is reported, which matters more
		}
	}

	#write(): Promise<void> {
		return (this.#writing ??= this.#writeAll());
	}

	async #writeAll(): Promise<void> {
		try {
			for (let [next] = this.#pending; next !== undefined; [next] = this.#pending) {
				const [id, transcript] = next;
				await (transcript === null ? this.#store.delete([id]) : this.#store.put(transcript));
				if (this.#pending.get(id) === transcript) {
					this.#pending.delete(id); // it has not changed meanwhile
				}
			}
			this.#whenFailing(false);
		} catch {
			this.#whenFailing(this.isUnsaved); // the next change tries again
		} finally {
			this.#writing = null; // in the same turn as the last look at what is pending
		}
	}
}
