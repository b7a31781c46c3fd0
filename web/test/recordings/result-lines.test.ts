import { expect, test } from 'vitest';
import { linesOfJob, linesOfKept } from '../../page/recordings/result-lines.js';
import { decodeKept, decodeTranscript } from '../../src/api/results.js';

const word = (start: number, text: string): object => ({
	start,
	end: start + 0.5,
	start_ms: 1000 * start,
	end_ms: 1000 * start + 500,
	word: text,
	probability: 1,
});
const WORDS = [word(1, ' Good'), word(1.5, ' day.')];
const TIMED = [
	{ startSeconds: 1, endSeconds: 1.5, text: 'Good' },
	{ startSeconds: 1.5, endSeconds: 2, text: ' day.' },
];

test('a job has lines with words and speakers, and gaps between them', () => {
	const segment = { start: 1, end: 2, text: ' Good day.', language: null, words: WORDS, speaker: 0 };
	const other = { ...segment, start: 5, end: 6, words: [word(5, ' Other')], speaker: null };
	const transcript = {
		text: '',
		language: 'en',
		segments: [segment, { ...other, words: null }, other],
		error: { gaps: [{ start: 3, end: 4, code: 'poison_job', reason: '' }] },
	};
	const text = { text: 'Good day.', language: 'en' };
	expect(linesOfJob(decodeTranscript(transcript as never))).toEqual([
		{ startSeconds: 1, endSeconds: 2, ...text, words: TIMED, speaker: 0 },
		{ startSeconds: 3, endSeconds: 4, gap: 'poison_job' },
		{ startSeconds: 5, endSeconds: 6, ...text },
		{ startSeconds: 5, endSeconds: 6, ...text },
	]);
});

test('a kept transcript has lines with words and named speakers', () => {
	const segment = { id: 1, start_ms: 1000, end_ms: 2000, text: 'Good day.' };
	const transcript = {
		id: 'a',
		source: 'job',
		language: 'en',
		text: '',
		segments: [
			{ ...segment, words: WORDS, speaker: 1 },
			{ ...segment, speaker: 0, starts_paragraph: false },
			segment,
		],
		speakers: [
			{ speaker: 0, name: null },
			{ speaker: 1, name: 'Ann' },
		],
	};
	const line = { startSeconds: 1, endSeconds: 2, text: 'Good day.', language: 'en' };
	expect(linesOfKept(decodeKept(transcript as never))).toEqual([
		{ ...line, words: TIMED, speaker: 1, speakerName: 'Ann' },
		{ ...line, speaker: 0, startsParagraph: false },
		line,
	]);
});
