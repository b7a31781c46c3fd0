/** What a reader shows. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ReaderLines } from '../page/reader-lines.js';
import { READER_TEXTS } from '../page/reader-texts.js';
import type { Final, Partial } from '../src/events.js';

const partial = (utterance: number, stable: string): Partial => ({
	type: 'partial',
	utterance,
	stable,
	unstable: ' maybe',
	startSeconds: 0,
	endSeconds: 1,
});

const final = (id: number, text: string, more: object = {}): Final => ({
	type: 'final',
	id,
	utterance: id,
	text,
	startSeconds: 0,
	endSeconds: 1,
	language: 'en',
	words: null,
	latencyMilliseconds: 300,
	revised: false,
	error: null,
	speaker: null,
	segments: null,
	speakers: [],
	endOfTurn: null,
	trigger: null,
	original: null,
	...more,
});

const part = (text: string, speaker: number) => ({ startSeconds: 0, endSeconds: 1, text, speaker });

describe('the lines of a reader', () => {
	it('lose half a sentence whose speaker is gone, and get it when it is said', () => {
		const lines = new ReaderLines(2);
		lines.receive(partial(1, 'And so'));
		lines.dropOpen();
		expect(lines.open).toEqual([]);
		lines.receive(final(1, 'And so it was.'));
		expect(lines.finals.map(({ text }) => text)).toEqual(['And so it was.']);
	});

	it('are the newest finals and the open utterances', () => {
		const lines = new ReaderLines(2);
		for (const event of [partial(1, 'so'), partial(2, 'and'), final(1, 'So.'), partial(2, 'and then')]) {
			lines.receive(event);
		}
		expect(lines.open.map(({ stable }) => stable)).toEqual(['and then']);
		for (const event of [final(2, ' And then.'), final(3, ' '), final(4, 'Last.')]) {
			lines.receive(event);
		}
		expect(lines.finals.map(({ text }) => text)).toEqual(['And then.', 'Last.']);
		expect(lines.open).toEqual([]);
	});

	it('are those of a new connection, too, each once', () => {
		const lines = new ReaderLines(3);
		for (const event of [final(1, 'So.'), partial(2, 'and'), final(1, 'So.'), final(2, 'And then.')]) {
			lines.receive(event);
		}
		expect(lines.finals.map(({ text }) => text)).toEqual(['So.', 'And then.']);
		expect(lines.open).toEqual([]);
	});

	it('are as many open utterances as there are channels, at most', () => {
		const lines = new ReaderLines(1);
		for (let utterance = 1; utterance < 20; utterance++) {
			lines.receive(partial(utterance, 'so'));
		}
		expect(lines.open.map(({ utterance }) => utterance)).toEqual([12, 13, 14, 15, 16, 17, 18, 19]);
	});

	it('begin where the speaker changes, also if that is known later', () => {
		const lines = new ReaderLines(5);
		lines.receive(final(1, 'Yes. No.'));
		lines.receive(final(2, 'Well.'));
		const [, kept] = lines.finals;
		const segments = [part('Yes.', 0), part('No.', 1)];
		lines.receive({ type: 'speaker_revision', finals: [{ id: 1, speaker: 0, segments, speakers: [] }] });
		lines.receive({ type: 'speaker_revision', finals: [{ id: 9, speaker: 0, segments, speakers: [] }] });
		expect(lines.finals.map(({ text, speaker }) => [text, speaker])).toEqual([
			['Yes.', 0],
			['No.', 1],
			['Well.', null],
		]);
		expect(lines.finals[2]).toBe(kept);
		lines.receive({
			type: 'speaker_revision',
			finals: [{ id: 1, speaker: 2, segments: [], speakers: [{ number: 2, name: 'Ann' }] }],
		});
		expect(lines.finals[0]).toMatchObject({ text: 'Yes. No.', speaker: 2, name: 'Ann' });
	});
});

describe("the reader's page", () => {
	it('has its texts in each language', () => {
		const { en, zh } = READER_TEXTS;
		expect(Object.keys(zh.states)).toEqual(Object.keys(en.states));
		expect(readFileSync(new URL('../page/reader.html', import.meta.url), 'utf8')).toContain(`>${en.title}<`);
	});
});
