import { expect, test } from 'vitest';
import {
	type Columns,
	type Crash,
	type History,
	type Past,
	countCodes,
	highest,
	refused,
	refusedToClients,
	mergeHistory,
	roundUp,
	scaleOf,
} from '../page/status-data.js';

const START = 1_700_000_000;
const CRASH: Crash = { worker: 'asr-1', signal: 'SIGSEGV', reason: 'exited', at: START + 3 };

function columns(at: readonly number[], more: Partial<Columns> = {}): Columns {
	const zeros = at.map(() => 0);
	const nothing = at.map(() => null);
	return {
		at,
		workers: zeros,
		ready: zeros,
		crashes: zeros,
		queue_audio_s: zeros,
		connected: zeros,
		waiting: zeros,
		done: zeros,
		retried: zeros,
		final_p50_ms: nothing,
		final_p95_ms: nothing,
		cpu_percent: zeros,
		memory_used_mb: zeros,
		refusals: {},
		client_refusals: {},
		...more,
	};
}

function history(more: Partial<History> = {}): History {
	return {
		now: START + 20,
		started_at: START,
		every_s: 5,
		span_s: 900,
		with_stacks: false,
		samples: columns([START + 5, START + 10]),
		exits: [],
		...more,
	};
}

const times = (past: Past): number[] => past.samples.map(({ at }) => at - START);

test('converts columns to samples', () => {
	const { samples } = mergeHistory(
		null,
		history({
			samples: columns([START + 5, START + 10], {
				ready: [1, 2],
				final_p95_ms: [null, 320],
				cpu_percent: [7, 90],
				refusals: { queue_full: [0, 3], internal: [1, 0] },
				client_refusals: { unauthorized: [0, 8] },
			}),
		}),
	);
	expect(samples.map(({ at, ready, p95 }) => [at - START, ready, p95])).toEqual([
		[5, 1, null],
		[10, 2, 320],
	]);
	expect(samples.map(({ cpuPercent }) => cpuPercent)).toEqual([7, 90]);
	expect(samples.map(refused)).toEqual([1, 3]);
	expect(samples.map(refusedToClients)).toEqual([0, 8]);
	expect(countCodes(samples.map(({ refusals }) => refusals))).toEqual([
		['queue_full', 3],
		['internal', 1],
	]);
});

test('merges repeated samples', () => {
	const known = mergeHistory(null, history({ exits: [CRASH] }));
	const told = history({ samples: columns([START + 5, START + 10, START + 15]), exits: [CRASH] });
	const past = mergeHistory(known, told);
	expect(times(past)).toEqual([5, 10, 15]);
	expect(past.crashes).toEqual([CRASH]);
});

test('sorts crashes, newest first', () => {
	const later = { ...CRASH, at: START + 9 };
	expect(mergeHistory(null, history({ exits: [CRASH, later] })).crashes).toEqual([later, CRASH]);
});

test('keeps samples from before a restart', () => {
	const known = mergeHistory(null, history({ exits: [CRASH] }));
	const restart = { started_at: START + 30, exits: [] };
	const anew = { ...restart, now: START + 36, samples: columns([START + 35]) };
	const past = mergeHistory(known, history(anew));
	expect(times(past)).toEqual([5, 10, 35]);
	expect(past.crashes).toEqual([CRASH]);
	expect(past.startedAt).toBe(START + 30);
	expect(times(mergeHistory(past, history({ ...restart, now: START + 908, samples: columns([]) })))).toEqual([
		10,
	]);
});

test('recognises a new server without samples', () => {
	const known = mergeHistory(null, history());
	const past = mergeHistory(known, history({ started_at: null, samples: columns([]) }));
	expect(times(past)).toEqual([5, 10]);
});

test('rounds scales up', () => {
	expect([0.3, 1, 1.1, 4, 9, 10, 11, 260, 7000].map(roundUp)).toEqual([
		0.5, 1, 2, 5, 10, 10, 20, 500, 10_000,
	]);
	expect(highest([null, 3, 1])).toBe(3);
	expect(highest([], 2)).toBe(2);
});

test('scales to the usual values, and clips a few outliers', () => {
	const usual = [300, 310, 290, 330, null, 0];
	expect(scaleOf([], 10)).toEqual({ max: 10, isClipped: false });
	expect(scaleOf(usual, 100)).toEqual({ max: 500, isClipped: false });
	expect(scaleOf([...usual, 9000], 100)).toEqual({ max: 500, isClipped: true });
	expect(scaleOf([3, 9000], 1)).toEqual({ max: 10_000, isClipped: false });
	expect(scaleOf([...usual, 9000, 9000, 9000], 100)).toEqual({ max: 10_000, isClipped: false });
});
