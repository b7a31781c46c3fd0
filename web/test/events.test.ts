import { expect, test } from 'vitest';
import { parseEvent } from '../src/events.js';

// Messages as docs/reference/protocol.md shows them.
const FINAL = {
	type: 'final',
	id: 3,
	utterance: 4,
	text: 'And so',
	start_s: 0.4,
	end_s: 11.0,
	language: 'en',
	words: null,
	latency_ms: 240,
	revised: false,
	error: null,
};
const READY = {
	type: 'ready',
	session: '5e1a',
	secret: 'kX3v',
	sample_rate: 16000,
	resumed: false,
	resumable: true,
	received: 7,
	safe: 5,
	model: 'whisper-base',
	speakers_continue: true,
};

const read = (message: unknown) => parseEvent(JSON.stringify(message));

test('ready', () => {
	expect(read(READY)).toEqual({
		type: 'ready',
		session: '5e1a',
		secret: 'kX3v',
		resumed: false,
		resumable: true,
		receivedSample: 7,
		safeSample: 5,
		model: 'whisper-base',
		speakersContinue: true,
	});
	expect(read({ ...READY, speakers_continue: undefined })).toMatchObject({ speakersContinue: false });
	expect(read({ ...READY, model: undefined })).toMatchObject({ model: '' }); // an older server
});

test.each(['speech_started', 'speech_ended'])('%s', type => {
	expect(read({ type, at_s: 0.42 })).toEqual({ type, atSeconds: 0.42 });
});

test('a partial', () => {
	const message = { type: 'partial', utterance: 3, stable: 'a', unstable: ' b', start_s: 0.4, end_s: 2.1 };
	expect(read(message)).toEqual({
		type: 'partial',
		utterance: 3,
		stable: 'a',
		unstable: ' b',
		startSeconds: 0.4,
		endSeconds: 2.1,
	});
});

test('a final', () => {
	expect(read(FINAL)).toEqual({
		type: 'final',
		id: 3,
		utterance: 4,
		text: 'And so',
		startSeconds: 0.4,
		endSeconds: 11,
		language: 'en',
		words: null,
		latencyMilliseconds: 240,
		revised: false,
		error: null,
		speaker: null,
		segments: null,
		speakers: [],
		endOfTurn: null,
		trigger: null,
		original: null,
	});
	expect(read({ ...FINAL, original: 'An so' })).toMatchObject({ text: 'And so', original: 'An so' });
});

test('a final with turn detection, and what precedes it', () => {
	expect(read({ ...FINAL, end_of_turn: 0.93, trigger: 'model' })).toMatchObject({
		endOfTurn: 0.93,
		trigger: 'model',
	});
	const place = { utterance: 6, text: 'And so', language: 'en', words: null, probability: 0.55 };
	expect(read({ type: 'eager_final', ...place, start_s: 24, end_s: 25.4 })).toEqual({
		type: 'eager_final',
		...place,
		startSeconds: 24,
		endSeconds: 25.4,
	});
	const resumed = { type: 'turn_resumed', utterance: 6 };
	expect(read(resumed)).toEqual(resumed);
});

test('a final with speakers, and their revision', () => {
	const words = [{ start: 0.52, end: 0.71, word: ' And', probability: 0.98, speaker: 1 }];
	const segments = [{ start: 0.4, end: 11, text: 'And so', speaker: 1 }];
	const parsed = [{ startSeconds: 0.4, endSeconds: 11, text: 'And so', speaker: 1 }];
	expect(read({ ...FINAL, words, speaker: 1, segments })).toMatchObject({
		words: [{ speaker: 1 }],
		speaker: 1,
		segments: parsed,
	});
	const named = { speakers: [{ speaker: 1, name: 'Ann' }] };
	const speakers = [{ number: 1, name: 'Ann' }];
	expect(read({ ...FINAL, speaker: 1, segments, ...named })).toMatchObject({ speakers });
	const finals = [
		{ id: 3, speaker: null, segments: [] },
		{ id: 4, speaker: 1, segments, ...named },
	];
	expect(read({ type: 'speaker_revision', finals })).toEqual({
		type: 'speaker_revision',
		finals: [
			{ id: 3, speaker: null, segments: [], speakers: [] },
			{ id: 4, speaker: 1, segments: parsed, speakers },
		],
	});
});

test('a final with words, without a language, with an error', () => {
	const words = [{ start: 0.52, end: 0.71, word: ' And', probability: 0.98 }];
	expect(read({ ...FINAL, words, language: null, error: 'poison_job' })).toMatchObject({
		words: [{ startSeconds: 0.52, endSeconds: 0.71, text: ' And', probability: 0.98 }],
		language: null,
		error: 'poison_job',
	});
});

test('progress', () => {
	const message = { type: 'progress', received: 182400, safe: 176000, received_seq: 571, safe_seq: null };
	expect(read(message)).toEqual({ type: 'progress', receivedSample: 182400, safeSample: 176000 });
});

test('a warning with a known or an unknown code', () => {
	const message = { type: 'warning', code: 'audio_gap', message: 'Gone.', gap_ms: 40 };
	const warning = { type: 'warning', code: 'audio_gap', message: 'Gone.', gapMilliseconds: 40 };
	expect(read(message)).toEqual(warning);
	expect(read({ ...message, code: 'new', gap_ms: null })).toEqual({
		...warning,
		code: 'new',
		gapMilliseconds: null,
	});
});

test('switch_format', () => {
	const message = { type: 'switch_format', format: 'pcm16', reason: 'why' };
	expect(read(message)).toEqual(message);
});

test('an error, with and without a retry time', () => {
	const message = { type: 'error', code: 'queue_full', message: 'Full.', retryable: true };
	const error = { ...message, retryAfterSeconds: null };
	expect(read(message)).toEqual(error);
	expect(read({ ...message, retry_after_s: 2 })).toEqual({ ...error, retryAfterSeconds: 2 });
});

test('closed', () => {
	const message = {
		type: 'closed',
		reason: 'stop',
		audio_s: 11.2,
		packets: 560,
		lost_packets: 1,
		decode_errors: 2,
	};
	expect(read(message)).toEqual({
		type: 'closed',
		reason: 'stop',
		audioSeconds: 11.2,
		packets: 560,
		lostPackets: 1,
		decodeErrors: 2,
	});
});

test('ignores messages of later versions', () => {
	expect(read({ type: 'applause' })).toBeNull();
	expect(read({ ...FINAL, mood: 'good' })).not.toHaveProperty('mood');
});

test.each([
	['no JSON', '{'],
	['no object', '3'],
	['null', 'null'],
	['no type', '{}'],
	['a field that is missing', JSON.stringify({ ...READY, secret: undefined })],
	['a number that is none', JSON.stringify({ ...READY, received: '7' })],
	['a flag that is none', JSON.stringify({ ...READY, resumed: 1 })],
	['a text that is none', JSON.stringify({ ...FINAL, text: 3 })],
	['null where a text has to be', JSON.stringify({ ...FINAL, text: null })],
	['words that are no list', JSON.stringify({ ...FINAL, words: {} })],
	['a word that is none', JSON.stringify({ ...FINAL, words: [null] })],
])('rejects an invalid message: %s', (_, text) => {
	expect(() => parseEvent(text)).toThrow(expect.objectContaining({ code: 'bad_message' }));
});
