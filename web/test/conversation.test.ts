/** A conversation by hand: what a connection brings goes in, what it is to be sent comes out. */

import { describe, expect, test } from 'vitest';
import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from '../src/audio-format.js';
import {
	Conversation,
	type Format,
	MESSAGE_FRAMES,
	type ReportedEvent,
	UNMARKED_SAMPLES,
} from '../src/conversation.js';
import type { Closed, Final, Progress, Ready } from '../src/events.js';
import { LEAD_IN_SAMPLES } from '../src/kept-audio.js';
import type { StreamParameters } from '../src/parameters.js';

const SECOND = SAMPLE_RATE_HZ;
const anyId = expect.stringMatching(/^\w+$/) as string;
const CLOSED: Closed = {
	type: 'closed',
	reason: 'stop',
	audioSeconds: 0,
	packets: 0,
	lostPackets: 0,
	decodeErrors: 0,
};

type Span = readonly [start: number, end: number];
type Command = Readonly<Record<string, unknown>>;

function speak(talk: Conversation, seconds: number): void {
	for (let frame = 0; frame < Math.round((seconds * SECOND) / FRAME_SAMPLES); frame++) {
		const packet = talk.format === 'opus' ? new Uint8Array([7]) : null;
		talk.audio.append(new Int16Array(FRAME_SAMPLES), packet);
	}
}

function ready(receivedSample = 0, more: Partial<Ready> = {}): Ready {
	return {
		type: 'ready',
		session: 'A',
		secret: 'secret of A',
		resumed: false,
		resumable: true,
		receivedSample,
		safeSample: receivedSample,
		model: 'whisper-base',
		speakersContinue: false,
		...more,
	};
}

function progress(receivedSample: number, safeSample = 0): Progress {
	return { type: 'progress', receivedSample, safeSample };
}

function final(id: number, start: number, end: number): Final {
	return {
		type: 'final',
		id,
		utterance: id,
		text: `${start}-${end}`,
		startSeconds: start / SECOND,
		endSeconds: end / SECOND,
		language: 'en',
		words: null,
		latencyMilliseconds: 1,
		revised: false,
		error: null,
		speaker: null,
		segments: null,
		speakers: [],
		endOfTurn: null,
		trigger: null,
		original: null,
	};
}

function opened(asked: StreamParameters = {}, format: Format = 'pcm16'): Conversation {
	const talk = new Conversation(asked, format);
	talk.connected();
	talk.receiveEvent(ready());
	return talk;
}

/** Returns all that is to be sent: commands, and where PCM starts and ends. */
function messages(talk: Conversation): (Command | Span)[] {
	const found: (Command | Span)[] = [];
	for (let message = talk.nextMessage(); message !== null; message = talk.nextMessage()) {
		if (typeof message === 'string') {
			found.push(JSON.parse(message) as Command);
		} else {
			const at = Number(new DataView(message.buffer).getBigUint64(0, true));
			found.push([at, at + (message.length - 8) / 2]);
		}
	}
	return found;
}

const behind = (behindSeconds: number): ReportedEvent => ({ type: 'catching_up', behindSeconds });

const spans = (talk: Conversation): Span[] =>
	messages(talk).filter((message): message is Span => Array.isArray(message));
const commands = (talk: Conversation): Command[] =>
	messages(talk).filter((message): message is Command => !Array.isArray(message));
const opening = (talk: Conversation): Command => JSON.parse(talk.connected()) as Command;

/** Comes back to a server that knows nothing any more and starts where it was asked to. */
function forgotten(
	talk: Conversation,
	receivedSample: number,
	changes: Partial<Ready> = {},
): ReportedEvent[] {
	talk.disconnected();
	talk.query();
	talk.connected();
	const safeSample = talk.audio.safeSample;
	return talk.receiveEvent(ready(receivedSample, { session: 'B', safeSample, ...changes }));
}

describe('the first session', () => {
	test('opens with the requested parameters', () => {
		const talk = new Conversation(
			{ language: 'de', endpointMilliseconds: 300, prompt: 'Of birds.', hotwords: ['Opus'] },
			'opus',
		);
		expect(talk.query()).toEqual({ waiter: anyId });
		expect(opening(talk)).toEqual({
			type: 'start',
			format: 'opus',
			sample_rate: SAMPLE_RATE_HZ,
			channels: 1,
			frame_ms: 20,
			seq: true,
			language: 'de',
			prompt: 'Of birds.',
			hotwords: ['Opus'],
			endpoint_ms: 300,
			start_sample: 0,
			safe_sample: 0,
		});
	});

	test('sends no audio before ready', () => {
		const talk = new Conversation({}, 'pcm16');
		speak(talk, 1);
		talk.finalize();
		talk.connected();
		expect(talk.isWaiting).toBe(true);
		expect(messages(talk)).toEqual([]);
		expect(talk.receiveEvent(ready())).toEqual([{ type: 'connected', session: 'A', resumed: false }]);
		expect(spans(talk)).toEqual([[0, SECOND]]);
	});

	test('sends a backlog in messages of one second', () => {
		const talk = opened();
		speak(talk, 2.5);
		const step = MESSAGE_FRAMES * FRAME_SAMPLES;
		expect(spans(talk)).toEqual([
			[0, step],
			[step, 2 * step],
			[2 * step, 2 * step + 8000],
		]);
	});

	test('sends Opus packets framed and numbered', () => {
		const talk = opened({}, 'opus');
		speak(talk, 0.04);
		expect(talk.nextMessage()).toEqual(new Uint8Array([1, 0, 7, 0, 0, 0, 0, 1, 0, 7, 1, 0, 0, 0]));
	});

	test('does not report progress to the application', () => {
		const talk = opened();
		speak(talk, 3);
		messages(talk);
		expect(talk.receiveEvent(progress(2 * SECOND, SECOND))).toEqual([]);
		expect([talk.furthestSample, talk.safeSample]).toEqual([2 * SECOND, SECOND]);
	});

	test('rejects a safe position beyond the sent audio', () => {
		const talk = opened();
		speak(talk, 3);
		talk.receiveEvent(progress(0, 10 * SECOND));
		expect(talk.safeSample).toBe(0);
		expect(spans(talk)[0]?.[0]).toBe(0);
	});

	test('acknowledges each final before the next message', () => {
		const talk = opened();
		speak(talk, 1);
		expect(talk.receiveEvent(final(1, 0, 100))).toEqual([final(1, 0, 100)]);
		expect(messages(talk)[0]).toEqual({ type: 'ack', result: 1 });
	});

	test('waits for overdue acknowledgements of audio', () => {
		const talk = opened();
		speak(talk, UNMARKED_SAMPLES / SECOND);
		messages(talk);
		expect(talk.isWaiting).toBe(false);
		speak(talk, 0.02);
		messages(talk);
		expect(talk.isWaiting).toBe(true);
		talk.receiveEvent(progress(UNMARKED_SAMPLES));
		expect(talk.isWaiting).toBe(false);
	});
});

describe('the end', () => {
	test('sends stop once, after the last audio', () => {
		const talk = opened();
		speak(talk, 0.5);
		talk.finish();
		talk.finish();
		expect(messages(talk)).toEqual([[0, 8000], { type: 'stop' }]);
		expect(talk.isWaiting).toBe(true);
		expect(talk.receiveEvent(CLOSED)).toEqual([CLOSED]);
		expect(talk.state).toBe('over');
	});

	test('acknowledges nothing after stop', () => {
		const talk = opened();
		talk.finish();
		messages(talk);
		expect(talk.receiveEvent(final(1, 0, 1))).toHaveLength(1);
		expect(messages(talk)).toEqual([]);
	});

	test('starts another session if the server ends one early', () => {
		const talk = opened();
		speak(talk, 1);
		messages(talk);
		expect(talk.receiveEvent(CLOSED)).toEqual([]);
		expect(talk.state).toBe('waiting');
		talk.disconnected();
		expect(opening(talk)['type']).toBe('start');
	});
});

describe('finalize', () => {
	test('is sent at its position in the audio', () => {
		const talk = opened();
		speak(talk, 0.5);
		talk.finalize();
		talk.finalize();
		speak(talk, 0.5);
		expect(messages(talk)).toEqual([[0, 8000], { type: 'finalize' }, [8000, 16_000]]);
	});

	test('is sent again at its position until its final arrives', () => {
		const talk = opened();
		speak(talk, 0.5);
		talk.finalize();
		speak(talk, 0.5);
		messages(talk);
		talk.disconnected();
		talk.connected();
		talk.receiveEvent(ready(4800, { resumed: true }));
		expect(messages(talk)).toEqual([[4800, 8000], { type: 'finalize' }, [8000, 16_000]]);
		talk.receiveEvent(final(1, 0, 8000));
		talk.disconnected();
		talk.connected();
		talk.receiveEvent(ready(16_000, { resumed: true }));
		expect(commands(talk)).not.toContainEqual({ type: 'finalize' });
	});
});

describe('after a lost connection', () => {
	test('sends the session secret and the last result', () => {
		const talk = opened({ language: 'de', wordTimestamps: true });
		speak(talk, 4);
		messages(talk);
		talk.receiveEvent(final(1, 0, 2 * SECOND));
		talk.disconnected();
		expect(talk.query()).toEqual({
			waiter: anyId,
			resume: '1',
			session: 'A',
			format: 'pcm16',
			sample_rate: '16000',
			channels: '1',
			frame_ms: '20',
			seq: '1',
			language: 'de',
			word_timestamps: '1',
			start_sample: '0',
			safe_sample: String(2 * SECOND),
		});
		expect(opening(talk)).toEqual({
			type: 'resume',
			session: 'A',
			secret: 'secret of A',
			last_result: 1,
		});
	});

	test('continues at the position that the server reports', () => {
		const talk = opened();
		speak(talk, 2);
		messages(talk);
		talk.disconnected();
		speak(talk, 1);
		talk.connected();
		const told = talk.receiveEvent(ready(SECOND + 320, { resumed: true }));
		expect(told).toEqual([{ type: 'connected', session: 'A', resumed: true }]);
		expect(spans(talk)[0]?.[0]).toBe(SECOND + 320);
		expect(talk.audio.nextSample).toBe(3 * SECOND);
	});

	test('reports a repeated final once', () => {
		const talk = opened();
		speak(talk, 3);
		messages(talk);
		expect(talk.receiveEvent(final(1, 0, SECOND))).toHaveLength(1);
		talk.disconnected();
		talk.connected();
		talk.receiveEvent(ready(SECOND, { resumed: true }));
		expect(talk.receiveEvent(final(1, 0, SECOND))).toEqual([]);
		expect(talk.receiveEvent(final(2, SECOND, 2 * SECOND))).toHaveLength(1);
	});

	test('sends a new session the audio that is not safe, with a lead-in', () => {
		const talk = opened();
		speak(talk, 40);
		messages(talk);
		talk.receiveEvent(final(1, 0, 30 * SECOND));
		const told = forgotten(talk, 30 * SECOND - LEAD_IN_SAMPLES);
		expect(told).toEqual([{ type: 'connected', session: 'B', resumed: false }]);
		expect(spans(talk)[0]?.[0]).toBe(30 * SECOND - LEAD_IN_SAMPLES);
		expect(talk.safeSample).toBe(30 * SECOND);
	});

	test('requests a maximum delay of finals, of a new session too', () => {
		const asked = { maxLagSeconds: 10, vocabulary: 'team' };
		expect(opening(new Conversation(asked, 'pcm16'))).toMatchObject({ max_lag_s: 10, vocabulary: 'team' });
		const talk = opened(asked);
		talk.disconnected();
		expect(talk.query()).toMatchObject({ max_lag_s: '10', vocabulary: 'team' });
	});

	test('requests turn detection, and numbers its utterances across all sessions', () => {
		const asked = { turnEagerThreshold: 0.4, turnLimitMilliseconds: 2000 };
		expect(opening(new Conversation(asked, 'pcm16'))).toMatchObject({
			turn_eager_threshold: 0.4,
			turn_limit_ms: 2000,
		});
		const talk = opened(asked);
		speak(talk, 4);
		messages(talk);
		talk.receiveEvent(final(1, 0, SECOND));
		forgotten(talk, 0);
		messages(talk);
		const resumed = { type: 'turn_resumed', utterance: 1 } as const;
		expect(talk.receiveEvent(resumed)).toEqual([{ ...resumed, utterance: 2 }]);
	});

	const spokenBy = (id: number, speaker: number): Final => {
		const segment = { startSeconds: id - 1, endSeconds: id, text: 'x', speaker };
		return { ...final(id, (id - 1) * SECOND, id * SECOND), speaker, segments: [segment] };
	};

	test('gives speakers of a new session new numbers', () => {
		const talk = opened({ speakers: true });
		speak(talk, 4);
		messages(talk);
		expect(talk.receiveEvent(spokenBy(1, 0))).toMatchObject([{ speaker: 0 }]);
		expect(talk.receiveEvent(spokenBy(2, 1))).toMatchObject([{ speaker: 1, segments: [{ speaker: 1 }] }]);
		const revision = {
			type: 'speaker_revision',
			finals: [{ id: 2, speaker: 0, segments: [], speakers: [] }],
		} as const;
		expect(talk.receiveEvent(revision)).toEqual([revision]);
		forgotten(talk, 0);
		messages(talk);
		expect(talk.receiveEvent(revision)).toEqual([]); // of no final of this session
		const third = { ...spokenBy(3, 0), id: 1 };
		expect(talk.receiveEvent(third)).toMatchObject([{ id: 3, speaker: 2, segments: [{ speaker: 2 }] }]);
		const late = {
			type: 'speaker_revision',
			finals: [{ id: 1, speaker: 1, segments: [], speakers: [{ number: 1, name: 'Ann' }] }],
		} as const;
		const speakers = [{ number: 3, name: 'Ann' }];
		expect(talk.receiveEvent(late)).toMatchObject([{ finals: [{ id: 3, speaker: 3, speakers }] }]);
		const known = { ...spokenBy(4, 1), id: 2, speakers: [{ number: 1, name: 'Ann' }] };
		expect(talk.receiveEvent(known)).toMatchObject([{ id: 4, speaker: 3, speakers }]);
	});

	test('keeps the numbers of speakers that a new session knows', () => {
		const talk = opened({ speakers: true });
		speak(talk, 4);
		messages(talk);
		talk.receiveEvent(spokenBy(1, 0));
		talk.receiveEvent(spokenBy(2, 1));
		forgotten(talk, 0, { speakersContinue: true });
		messages(talk);
		expect(talk.receiveEvent({ ...spokenBy(3, 1), id: 1 })).toMatchObject([{ id: 3, speaker: 1 }]);
		forgotten(talk, 0);
		messages(talk);
		expect(talk.receiveEvent({ ...spokenBy(4, 0), id: 1 })).toMatchObject([{ id: 4, speaker: 2 }]);
		forgotten(talk, 0, { speakersContinue: true });
		messages(talk);
		expect(talk.receiveEvent({ ...spokenBy(4, 1), id: 1 })).toMatchObject([{ id: 5, speaker: 3 }]);
	});

	test('numbers finals across all sessions', () => {
		const talk = opened();
		speak(talk, 10);
		messages(talk);
		talk.receiveEvent(final(1, 0, SECOND));
		talk.receiveEvent(final(2, SECOND, 2 * SECOND));
		forgotten(talk, 0);
		messages(talk);
		const partial = {
			type: 'partial',
			utterance: 1,
			stable: '',
			unstable: 'x',
			startSeconds: 2,
			endSeconds: 3,
		} as const;
		expect(talk.receiveEvent(partial)).toEqual([{ ...partial, utterance: 3 }]);
		expect(talk.receiveEvent(final(1, 2 * SECOND, 3 * SECOND))).toMatchObject([{ id: 3, utterance: 3 }]);
		expect(commands(talk)).toEqual([{ type: 'ack', result: 1 }]); // in the session's own numbers
	});

	test.each<StreamParameters>([{ prompt: 'Of birds.' }, { hotwords: ['Opus'] }])(
		"words of somebody's stay out of the address: %o",
		asked => {
			const talk = opened(asked);
			speak(talk, 5);
			messages(talk);
			talk.receiveEvent(final(1, 0, 2 * SECOND));
			talk.disconnected();
			expect(talk.query()).toEqual({ resume: '1', session: 'A', waiter: anyId });
			talk.connected();
			// So the new session is not what is wanted: it is stopped, and another one asked for.
			expect(talk.receiveEvent(ready(0, { session: 'B' }))).toEqual([]);
			expect(talk.state).toBe('misplaced');
			expect(messages(talk)).toEqual([{ type: 'stop' }]);
			expect(talk.receiveEvent(CLOSED)).toEqual([]);
			talk.disconnected();
			expect(talk.query()).toEqual({ session: 'A', waiter: anyId });
			expect(opening(talk)).toMatchObject({
				type: 'start',
				start_sample: 0,
				safe_sample: 2 * SECOND,
				session: 'A', // its readers stay
				secret: 'secret of A',
				...asked,
			});
		},
	);

	test('asks again if the server starts at another position', () => {
		const talk = opened();
		speak(talk, 40);
		messages(talk);
		talk.receiveEvent(final(1, 0, 30 * SECOND));
		expect(forgotten(talk, 0)).toEqual([]);
		expect(talk.state).toBe('misplaced');
	});

	test('keeps positions correct if audio is dropped while connecting', () => {
		const talk = opened();
		speak(talk, 40);
		messages(talk);
		talk.receiveEvent(final(1, 0, 10 * SECOND));
		talk.disconnected();
		talk.audio.dropAbove(20 * SECOND);
		const asked = talk.query();
		talk.connected();
		speak(talk, 1);
		talk.audio.dropAbove(20 * SECOND);
		const [connected, gap] = talk.receiveEvent(
			ready(Number(asked['start_sample']), { session: 'B', safeSample: Number(asked['safe_sample']) }),
		);
		expect(connected).toEqual({ type: 'connected', session: 'B', resumed: false });
		expect(gap).toEqual({ type: 'gap', startSeconds: 10, endSeconds: 21, code: 'unreachable' });
		expect(spans(talk)[0]?.[0]).toBe(21 * SECOND);
	});

	test('reports a loss despite progress of a session that started elsewhere', () => {
		const talk = opened();
		speak(talk, 40);
		messages(talk);
		talk.receiveEvent(final(1, 0, 5 * SECOND));
		talk.disconnected();
		talk.audio.dropAbove(5 * SECOND);
		talk.query();
		talk.connected();
		expect(talk.receiveEvent(ready(0, { session: 'B' }))).toEqual([]);
		messages(talk);
		for (const event of [
			progress(34 * SECOND, 34 * SECOND),
			final(1, 5 * SECOND, 34 * SECOND),
			CLOSED,
		] as const) {
			expect(talk.receiveEvent(event)).toEqual([]);
		}
		expect(talk.safeSample).toBe(5 * SECOND);
		talk.disconnected();
		talk.connected();
		const [connected, gap] = talk.receiveEvent(ready(35 * SECOND, { session: 'C' }));
		expect(connected).toEqual({ type: 'connected', session: 'C', resumed: false });
		expect(gap).toEqual({ type: 'gap', startSeconds: 5, endSeconds: 35, code: 'unreachable' });
	});

	test('does not ask for a session that cannot be resumed', () => {
		const talk = new Conversation({}, 'pcm16');
		talk.connected();
		talk.receiveEvent(ready(0, { resumable: false }));
		talk.disconnected();
		expect(opening(talk)['type']).toBe('start');
	});

	test('reports speech that is lost', () => {
		const talk = opened();
		speak(talk, 2);
		messages(talk);
		talk.disconnected();
		speak(talk, 8);
		talk.audio.dropAbove(3 * SECOND);
		const [connected, gap] = forgotten(talk, 7 * SECOND);
		expect(connected).toEqual({ type: 'connected', session: 'B', resumed: false });
		expect(gap).toEqual({ type: 'gap', startSeconds: 0, endSeconds: 7, code: 'unreachable' });
		expect(spans(talk)[0]?.[0]).toBe(7 * SECOND);
	});

	test('reports lost speech after the finals before it', () => {
		const talk = opened();
		speak(talk, 10);
		messages(talk);
		talk.disconnected();
		speak(talk, 20);
		talk.limit(15 * SECOND);
		talk.connected();
		const resumed = ready(10 * SECOND, { safeSample: 0, resumed: true });
		expect(talk.receiveEvent(resumed)).toEqual([
			{ type: 'connected', session: 'A', resumed: true },
			behind(30),
		]);
		expect(spans(talk)[0]?.[0]).toBe(15 * SECOND);
		const one = final(1, 4 * SECOND, 10 * SECOND);
		const gap = { type: 'gap', startSeconds: 10, endSeconds: 15, code: 'unreachable' };
		expect(talk.receiveEvent(one)).toEqual([one, gap, behind(20)]);
		// If that session is forgotten too, only what was not reported yet is reported.
		speak(talk, 4);
		talk.disconnected();
		talk.limit(10 * SECOND);
		expect(forgotten(talk, 24 * SECOND)).toEqual([
			{ type: 'connected', session: 'B', resumed: false },
			{ ...gap, startSeconds: 15, endSeconds: 24 },
			behind(10),
		]);
	});

	test('reports the delay of the text after a long outage', () => {
		const talk = opened();
		speak(talk, 4);
		messages(talk);
		talk.receiveEvent(progress(4 * SECOND, 4 * SECOND));
		talk.disconnected();
		speak(talk, 60);
		expect(forgotten(talk, 0)).toEqual([{ type: 'connected', session: 'B', resumed: false }, behind(60)]);
		messages(talk);
		expect(talk.receiveEvent(progress(20 * SECOND, 4 * SECOND + 8000))).toEqual([]);
		expect(talk.receiveEvent(progress(40 * SECOND, 34 * SECOND))).toEqual([behind(30)]);
		const partial = {
			type: 'partial',
			utterance: 1,
			stable: '',
			unstable: 'x',
			startSeconds: 35,
			endSeconds: 54,
		} as const;
		expect(talk.receiveEvent(partial)).toEqual([partial, behind(10)]);
		expect(talk.receiveEvent(progress(64 * SECOND, 60 * SECOND))).toEqual([behind(0)]);
		expect(talk.receiveEvent(progress(64 * SECOND, 64 * SECOND))).toEqual([]);
	});

	test('reports no delay after a short outage', () => {
		const talk = opened();
		talk.disconnected();
		speak(talk, 9);
		expect(forgotten(talk, 0)).toEqual([{ type: 'connected', session: 'B', resumed: false }]);
	});

	test("replaces the server's gap warning by a gap with its position", () => {
		const warning = { type: 'warning', code: 'audio_gap', message: 'Missing.', gapMilliseconds: 40 } as const;
		expect(opened().receiveEvent(warning)).toEqual([]);
	});

	test('drops whole blocks on a slow connection', () => {
		const talk = opened();
		speak(talk, 1);
		messages(talk);
		talk.receiveEvent(progress(SECOND, SECOND));
		for (let second = 0; second < 60; second++) {
			speak(talk, 1);
			talk.limit(40 * SECOND);
		}
		expect(spans(talk)[0]).toEqual([23 * SECOND, 24 * SECOND]);
		expect(talk.receiveEvent(progress(SECOND, SECOND))).toEqual([
			{ type: 'gap', startSeconds: 1, endSeconds: 23, code: 'too_slow' },
		]);
	});

	test('reports kept audio as lost when it gives up', () => {
		const talk = opened();
		speak(talk, 5);
		messages(talk);
		talk.receiveEvent(final(1, 0, 2 * SECOND));
		talk.disconnected();
		expect(talk.giveUp('unreachable')).toEqual([
			{ type: 'gap', startSeconds: 2, endSeconds: 5, code: 'unreachable' },
		]);
	});

	test('repeats stop after a reconnection', () => {
		const talk = opened();
		speak(talk, 1);
		talk.finish();
		expect(commands(talk)).toContainEqual({ type: 'stop' });
		talk.disconnected();
		talk.connected();
		talk.receiveEvent(ready(SECOND, { resumed: true }));
		expect(messages(talk)).toEqual([{ type: 'stop' }]);
	});
});

describe('changes of parameters', () => {
	test('are sent immediately, and again after a reconnection', () => {
		const talk = opened();
		talk.configure({ language: 'fr' });
		const told = commands(talk);
		expect(told).toEqual([
			{ type: 'configure', language: 'fr', prompt: null, format: 'pcm16', sample_rate: SAMPLE_RATE_HZ },
		]);
		talk.disconnected();
		talk.connected();
		talk.receiveEvent(ready(0, { resumed: true }));
		expect(commands(talk)).toEqual(told);
	});

	test('apply to a new session, too', () => {
		const talk = opened({ language: 'en' });
		speak(talk, 1);
		messages(talk);
		talk.configure({ language: null, endpointMilliseconds: 900 });
		forgotten(talk, 0);
		expect(talk.query()['endpoint_ms']).toBe('900');
		expect(talk.query()).not.toHaveProperty('language');
	});

	test('have no effect if the server would refuse them', () => {
		const talk = opened();
		expect(() => talk.configure({ endpointMilliseconds: 9 })).toThrow(
			expect.objectContaining({ code: 'bad_parameters' }),
		);
		expect(commands(talk)).toEqual([]);
	});

	test('omit the format while it is Opus', () => {
		const talk = opened({}, 'opus');
		talk.configure({ language: 'fr' });
		expect(commands(talk)).toEqual([{ type: 'configure', language: 'fr', prompt: null }]);
	});

	test('words to expect and the task apply to this session and to later ones', () => {
		const talk = opened({}, 'opus');
		talk.configure({ task: 'translate', hotwords: ['Auricle'] });
		const change = {
			type: 'configure',
			language: null,
			task: 'translate',
			prompt: null,
			hotwords: ['Auricle'],
		};
		expect(commands(talk)).toEqual([change]);
		forgotten(talk, 0);
		expect(JSON.parse(talk.connected())).toMatchObject({ task: 'translate', hotwords: ['Auricle'] });
	});

	test('a model applies to this session and to later ones', () => {
		const talk = opened({ model: 'whisper-base' }, 'opus');
		expect(JSON.parse(new Conversation({ model: 'whisper-base' }, 'opus').connected())).toMatchObject({
			type: 'start',
			model: 'whisper-base',
		});
		talk.configure({ model: '' });
		expect(commands(talk)).toEqual([{ type: 'configure', model: '', language: null, prompt: null }]);
		talk.disconnected();
		expect(talk.query()).not.toHaveProperty('model');
		talk.configure({ model: 'tiny' });
		expect(talk.query()).toMatchObject({ resume: '1', model: 'tiny' });
		expect(() => talk.configure({ model: 'x'.repeat(201) })).toThrow('at most 200 characters');
	});

	test('PCM starts with the next frame once the server requests it', () => {
		const talk = opened({}, 'opus');
		speak(talk, 0.04);
		expect(talk.nextMessage()).toHaveLength(14);
		talk.receiveEvent({ type: 'switch_format', format: 'pcm16', reason: 'why' });
		expect(talk.format).toBe('pcm16');
		speak(talk, 0.02);
		const [told, span] = messages(talk);
		expect(told).toMatchObject({ type: 'configure', format: 'pcm16', sample_rate: SAMPLE_RATE_HZ });
		expect(span).toEqual([640, 960]);
	});

	test('a new session after that starts in PCM', () => {
		const talk = opened({}, 'opus');
		talk.switchToPcm();
		forgotten(talk, 0);
		expect(talk.query()['format']).toBe('pcm16');
	});

	test('fails if the server requests a format other than PCM', () => {
		const talk = opened({}, 'opus');
		talk.receiveEvent({ type: 'switch_format', format: 'webm', reason: 'why' });
		expect(commands(talk)).toEqual([]);
	});
});
