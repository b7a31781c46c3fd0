/** Writing kept transcripts to a store that is slow or full. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Keeper } from '../page/keeper.js';
import type { KeptTranscript } from '../page/kept.js';
import type { TranscriptStore } from '../page/kept-store.js';

/** A store in memory. */
class MemoryStore implements TranscriptStore {
	readonly records = new Map<string, unknown>();
	isBroken = false;
	puts = 0;

	async all(): Promise<unknown[]> {
		await this.#answer();
		return [...this.records.values()];
	}

	async put(transcript: KeptTranscript): Promise<void> {
		await this.#answer();
		this.puts++;
		this.records.set(transcript.id, structuredClone(transcript));
	}

	async delete(ids: readonly string[]): Promise<void> {
		await this.#answer();
		ids.forEach(id => this.records.delete(id));
	}

	async #answer(): Promise<void> {
		await Promise.resolve();
		if (this.isBroken) throw new DOMException('', 'QuotaExceededError');
	}
}

function kept(id: string, changedAt: number, lines = 1): KeptTranscript {
	const line = { startSeconds: 0, endSeconds: 1, text: 'Hello.', language: 'en' };
	return { id, kind: 'captions', name: '', changedAt, lines: Array(lines).fill(line), job: null };
}

describe('the keeper', () => {
	let store: MemoryStore;
	let failing: boolean[];
	let keeper: Keeper;
	const now = Date.now();

	beforeEach(() => {
		store = new MemoryStore();
		failing = [];
		keeper = new Keeper(store, isFailing => failing.push(isFailing));
	});

	it('stores the last of several quick changes', async () => {
		const changes = [1, 2, 3, 4, 5].map(lines => keeper.keep(kept('a', now, lines)));
		expect(keeper.isUnsaved).toBe(true);
		expect(await Promise.all(changes)).toEqual([true, true, true, true, true]);
		expect(keeper.isUnsaved).toBe(false);
		expect(store.puts).toBe(2);
		expect(await keeper.list()).toEqual([kept('a', now, 5)]);
	});

	it('does not list or store what was removed meanwhile', async () => {
		await keeper.keep(kept('a', now));
		void keeper.keep(kept('b', now));
		const removed = keeper.remove(['a', 'b']);
		expect(await keeper.list()).toEqual([]);
		await removed;
		expect(store.records.size).toBe(0);
		expect(keeper.isUnsaved).toBe(false);
	});

	it('reports a broken store, and stores everything once it works', async () => {
		store.isBroken = true;
		expect(await keeper.keep(kept('a', now))).toBe(false);
		expect(await keeper.keep(kept('b', now))).toBe(false);
		expect(await keeper.list()).toEqual([]);
		expect([failing.at(-1), keeper.isUnsaved]).toEqual([true, true]);
		store.isBroken = false;
		expect(await keeper.keep(kept('b', now, 2))).toBe(true);
		expect([failing.at(-1), keeper.isUnsaved]).toEqual([false, false]);
		expect(store.records.size).toBe(2);
	});

	it('does not ask to save what the user removes from a broken store', async () => {
		store.isBroken = true;
		await keeper.keep(kept('a', now));
		await keeper.remove(['a']);
		expect([failing.at(-1), keeper.isUnsaved]).toEqual([false, false]);
	});

	it('removes transcripts beyond the limits when it lists them', async () => {
		await keeper.keep(kept('expired', now - 31 * 24 * 3600 * 1000));
		await keeper.keep(kept('a', now));
		expect((await keeper.list()).map(({ id }) => id)).toEqual(['a']);
		expect([...store.records.keys()]).toEqual(['a']);
	});
});
