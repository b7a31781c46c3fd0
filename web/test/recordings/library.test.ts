import { expect, test } from 'vitest';
import type { Keeper } from '../../page/keeper.js';
import type { KeptTranscript } from '../../page/kept.js';
import { Library, type ListedTranscript } from '../../page/recordings/library.js';
import { LIST_LIMIT, type ServerTranscripts } from '../../page/recordings/server-transcripts.js';
import type { TranscriptSummary } from '../../src/index.js';

const kept = (id: string, ...onServer: string[]): KeptTranscript => ({
	id,
	kind: 'recording',
	name: `${id}.wav`,
	changedAt: 0,
	lines: [],
	job: null,
	onServer,
});
const summary = (id: string): TranscriptSummary => ({
	id,
	source: 'job',
	language: 'en',
	startedAt: 0,
	endedAt: 1,
});

/** A library of these transcripts, with a server that has these lists, one after another; `null` is a failure. */
function library(transcripts: KeptTranscript[], ...lists: (readonly string[] | null)[]): Library {
	const server = { list: () => Promise.resolve(lists.shift()?.map(summary) ?? null) };
	const made = new Library({} as unknown as Keeper, server as unknown as ServerTranscripts);
	transcripts.forEach(transcript => made.add(transcript));
	return made;
}

const rows = (listed: readonly ListedTranscript[]): string[] =>
	listed.map(({ id, isOnServer }) => `${id}${isOnServer ? ' too' : ''}`);

test('what browser and server keep is listed once', async () => {
	const all = library([kept('own'), kept('both', 'a'), kept('server:b'), kept('gone', 'c')], ['a', 'b', 'd']);
	await all.refreshServer(true);
	const { here, server } = all.listed();
	expect(rows(here).sort()).toEqual(['both too', 'gone', 'own', 'server:b too']);
	expect(server.map(({ id }) => id)).toEqual(['server:d']);
});

test('a server that keeps none is not asked, and one that does not answer has what it had', async () => {
	const both = kept('both', 'a');
	const all = library([both], ['a', 'b'], null);
	expect(all.copiesOnServer(both)).toEqual([]);
	await all.refreshServer(null);
	expect(all.copiesOnServer(both)).toEqual([]);
	await all.refreshServer(true);
	await all.refreshServer(true);
	expect(all.copiesOnServer(both)).toEqual(['a']);
	expect(all.listed().server).toHaveLength(1);
	await all.refreshServer(false);
	expect(all.copiesOnServer(both)).toEqual([]);
	expect(all.listed().server).toEqual([]);
});

test('a transcript beyond a full list counts as kept', async () => {
	const old = kept('old', 'a');
	const all = library(
		[old],
		Array.from({ length: LIST_LIMIT }, (_, number) => `other-${number}`),
	);
	await all.refreshServer(true);
	expect(all.copiesOnServer(old)).toEqual(['a']);
});
