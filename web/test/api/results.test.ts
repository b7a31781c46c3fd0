import { expect, test } from 'vitest';
import {
	decodeBody,
	decodeJob,
	decodeKept,
	decodeMatches,
	decodeSessions,
	decodeToken,
	decodeTranscript,
	decodeTranscripts,
} from '../../src/api/results.js';
import { problem } from '../fakes/api-server.js';

const TRANSCRIPT = {
	text: 'Good morning.',
	model: 'base',
	language: 'en',
	language_probability: 0.9,
	duration_ms: 2000,
	segments: [
		{
			start: 0.1,
			end: 0.5,
			text: 'Good morning.',
			language: 'en',
			words: [{ start: 0.1, end: 0.3, word: 'Good', probability: 0.8, speaker: 0 }],
			speaker: 0,
		},
		{ start: 0.6, end: 0.7, text: 'Yes.', language: 'en', words: null, original: 'Yeah.' },
	],
	speakers: [{ speaker: 0, name: 'Ann' }],
	error: { code: 'poison_job', gaps: [{ start: 1, end: 2, code: 'poison_job', reason: 'It kills.' }] },
	warnings: ['Careful.'],
	timing_ms: {},
};

test('a transcript has seconds and spelled-out names', () => {
	const transcript = decodeBody(JSON.stringify(TRANSCRIPT), decodeTranscript);
	expect(transcript).toEqual({
		text: 'Good morning.',
		model: 'base',
		language: 'en',
		languageProbability: 0.9,
		durationSeconds: 2,
		segments: [
			{
				startSeconds: 0.1,
				endSeconds: 0.5,
				text: 'Good morning.',
				language: 'en',
				words: [{ startSeconds: 0.1, endSeconds: 0.3, text: 'Good', probability: 0.8, speaker: 0 }],
				speaker: 0,
				channel: null,
				original: null,
			},
			{
				startSeconds: 0.6,
				endSeconds: 0.7,
				text: 'Yes.',
				language: 'en',
				words: null,
				speaker: null,
				channel: null,
				original: 'Yeah.',
			},
		],
		speakers: [{ number: 0, name: 'Ann' }],
		gaps: [{ startSeconds: 1, endSeconds: 2, code: 'poison_job', reason: 'It kills.' }],
		warnings: ['Careful.'],
	});
});

test('a job has its transcript or its error', () => {
	const job = { job_id: 'a', state: 'done', progress: 1, text: 'Good', result: TRANSCRIPT, error: null };
	expect(decodeBody(JSON.stringify({ ...job, transcript_id: 't' }), decodeJob).transcriptId).toBe('t');
	expect(decodeBody(JSON.stringify(job), decodeJob)).toMatchObject({
		id: 'a',
		transcriptId: null,
		error: null,
		startsInSeconds: null,
	});
	const failed = { ...job, state: 'failed', result: null, ...problem('bad_audio'), starts_in_s: 3 };
	expect(decodeBody(JSON.stringify(failed), decodeJob)).toMatchObject({
		transcript: null,
		error: { code: 'bad_audio' },
		startsInSeconds: 3,
	});
});

test('kept transcripts, sessions and tokens are converted', () => {
	const summary = { id: 'a', source: 'native', language: 'en', started_at: 1, ended_at: 2 };
	const segment = { id: 1, start_ms: 500, end_ms: 900, text: 'Hello.', speaker: 1 };
	const words = [{ start_ms: 500, end_ms: 900, word: 'Hello.' }];
	const untimed = { id: 2, start_ms: 900, end_ms: 1000, text: 'Yes.', starts_paragraph: true };
	const kept = {
		...summary,
		text: 'Hello.',
		segments: [{ ...segment, words }, untimed],
		speakers: [{ speaker: 1, name: null }],
	};
	expect(decodeBody(JSON.stringify(kept), decodeKept)).toEqual({
		id: 'a',
		source: 'native',
		language: 'en',
		startedAt: 1,
		endedAt: 2,
		text: 'Hello.',
		segments: [
			{
				id: 1,
				startSeconds: 0.5,
				endSeconds: 0.9,
				text: 'Hello.',
				speaker: 1,
				words: [{ startSeconds: 0.5, endSeconds: 0.9, text: 'Hello.' }],
				startsParagraph: null,
			},
			{
				id: 2,
				startSeconds: 0.9,
				endSeconds: 1,
				text: 'Yes.',
				speaker: null,
				words: null,
				startsParagraph: true,
			},
		],
		speakers: [{ number: 1, name: null }],
	});
	const page = { transcripts: [summary], next: 7 };
	expect(decodeBody(JSON.stringify(page), decodeTranscripts)).toMatchObject({
		items: [{ startedAt: 1 }],
		next: 7,
	});
	const matches = { matches: [{ transcript: summary, segment }], next: null };
	expect(decodeBody(JSON.stringify(matches), decodeMatches).items[0]).toMatchObject({
		transcript: { id: 'a' },
		segment: { startSeconds: 0.5 },
	});
	const sessions = { sessions: [{ id: 's', request_id: 'r', source: 'native', started_at: 3, readers: 2 }] };
	expect(decodeBody(JSON.stringify(sessions), decodeSessions)).toEqual([
		{ id: 's', source: 'native', startedAt: 3, readers: 2 },
	]);
	expect(decodeBody('{"token": "tok1.x", "expires_in_s": 60}', decodeToken)).toEqual({
		text: 'tok1.x',
		expiresInSeconds: 60,
	});
});

test("another program's documents are reported", () => {
	for (const body of ['', '[]', '{"text": 7, "segments": []}', '{"hello": 1}']) {
		expect(() => decodeBody(body, decodeTranscript), body).toThrow('not from an Auricle server');
	}
});
