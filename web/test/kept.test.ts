/** What the browser keeps: the form of a transcript, and the limits. */

import { describe, expect, it } from 'vitest';
import { beyondLimits, excerpt, type KeptTranscript, parseKept } from '../page/kept.js';

const LIMITS = { transcripts: 3, bytes: 1000, milliseconds: 10_000 };

function kept(id: string, changedAt: number, text = 'Hello.'): KeptTranscript {
	const line = { startSeconds: 0, endSeconds: 1, text, language: 'en' };
	return { id, kind: 'captions', name: '', changedAt, lines: [line], job: null };
}

describe('kept transcripts', () => {
	it('are returned newest first, without records of another form', () => {
		const gap = { ...kept('gap', 3), lines: [{ startSeconds: 1, endSeconds: 2, gap: 'too_slow' }] };
		const word = { startSeconds: 0, endSeconds: 1, text: 'Hello.' };
		const timed = { ...kept('old', 1), onServer: ['a'], lines: [{ ...word, language: 'en', words: [word] }] };
		const good = [timed, gap, { ...kept('job', 2), kind: 'recording', lines: [], job: 'j1' }];
		const bad = [
			null,
			'text',
			{},
			{ ...kept('kind', 5), kind: 'song' },
			{ ...kept('time', 5), changedAt: 'today' },
			{ ...kept('lines', 5), lines: { length: 0 } },
			{ ...kept('line', 5), lines: [{ startSeconds: 0, endSeconds: 1 }] },
			{ ...kept('null', 5), lines: [null] },
			{ ...kept('word', 5), lines: [{ ...word, language: 'en', words: [{ text: 'Hello.' }] }] },
			{ ...kept('start', 5), lines: [{ ...word, language: 'en', startsParagraph: 'yes' }] },
			{ ...kept('job', 5), job: 7 },
			{ ...kept('server', 5), onServer: [7] },
		];
		expect(parseKept([...bad, ...good]).map(({ id }) => id)).toEqual(['gap', 'job', 'old']);
	});

	it('are limited in number, size and age, except for the newest', () => {
		const of = (...transcripts: KeptTranscript[]): string[] => beyondLimits(transcripts, 20_000, LIMITS);
		expect(of(kept('a', 20_000), kept('b', 19_000), kept('c', 18_000))).toEqual([]);
		expect(of(kept('a', 20_000), kept('b', 19_000), kept('c', 18_000), kept('d', 17_000))).toEqual(['d']);
		expect(of(kept('a', 20_000), kept('b', 9_999))).toEqual(['b']);
		expect(of(kept('a', 20_000), kept('b', 19_000, 'x'.repeat(500)), kept('c', 18_000))).toEqual(['b', 'c']);
		expect(of(kept('a', 0, 'x'.repeat(5000)))).toEqual([]);
		expect(of()).toEqual([]);
	});

	it('are recognisable by their first lines', () => {
		const line = (text: string) => ({ startSeconds: 0, endSeconds: 1, text, language: null });
		const gap = { startSeconds: 0, endSeconds: 1, gap: 'stopped' };
		const lines = [gap, line('One.'), line('Two.'), line('Three.'), line('Four.')];
		expect(excerpt({ ...kept('a', 0), lines })).toBe('One. Two. Three.');
	});
});
