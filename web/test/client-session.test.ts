/** A stream's life by hand: events and seconds go in, actions come out. */

import { describe, expect, test } from 'vitest';
import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from '../src/audio-format.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import { AuricleError } from '../src/errors.js';
import { type Action, ClientSession, MAX_RETRY_AFTER_SECONDS, type Refusal } from '../src/client-session.js';

const RULES = { ...DEFAULT_RULES, firstDelaySeconds: 1, maxDelaySeconds: 8, patienceSeconds: 100 };
const READY = message('ready', {
	session: 'A',
	secret: 's',
	resumed: false,
	resumable: true,
	received: 0,
	safe: 0,
});
const RESUMED = READY.replace('"resumed":false', '"resumed":true');
const CLOSED = message('closed', {
	reason: 'stop',
	audio_s: 0,
	packets: 0,
	lost_packets: 0,
	decode_errors: 0,
});
const NOBODY: Refusal = { cause: 'network', message: 'Nobody.', retryAfterSeconds: 0 };
const BUSY: Refusal = { cause: 'busy', message: 'Busy.', retryAfterSeconds: 5 };

function message(type: string, fields: object): string {
	return JSON.stringify({ type, ...fields });
}

function marks(received: number, safe = 0): string {
	return message('progress', { received, safe });
}

function fresh(rules = RULES): ClientSession {
	return new ClientSession({}, 'pcm16', rules, () => 1);
}

/** Does all that is to be done at once; returns it in short. */
function actions(live: ClientSession, now: number): string[] {
	const found: string[] = [];
	for (let action = live.poll(now); action !== null; action = live.poll(now)) {
		found.push(inShort(action));
	}
	return found;
}

function inShort(action: Action): string {
	if (action.kind !== 'send') {
		return action.kind;
	}
	return typeof action.data === 'string' ? (JSON.parse(action.data) as { type: string }).type : 'audio';
}

/** Returns a stream whose first session is there, at second 0. */
function connected(rules = RULES): ClientSession {
	const live = fresh(rules);
	actions(live, 0);
	live.opened(0);
	actions(live, 0);
	live.received(READY, 0);
	live.takeEvents();
	return live;
}

function speak(live: ClientSession, seconds: number): void {
	for (let frame = 0; frame < (seconds * SAMPLE_RATE_HZ) / FRAME_SAMPLES; frame++) {
		live.append(new Int16Array(FRAME_SAMPLES), null);
	}
}

describe('connecting', () => {
	test('starts immediately and opens with start', () => {
		const live = fresh();
		expect(live.wakeAtSeconds).toBe(-Infinity);
		expect(actions(live, 0)).toEqual(['connect']);
		live.opened(1);
		speak(live, 1);
		expect(actions(live, 1)).toEqual(['start']);
		live.received(READY, 1);
		expect(live.takeEvents()).toEqual([{ type: 'connected', session: 'A', resumed: false }]);
		expect(live.takeEvents()).toEqual([]);
		expect(actions(live, 1)).toEqual(['audio']);
	});

	test('fails immediately if no server has ever answered', () => {
		const live = fresh();
		actions(live, 0);
		live.refused(NOBODY, 1);
		expect(live.failure).toMatchObject({ code: 'unreachable', message: 'Nobody.' });
		expect(live.wakeAtSeconds).toBe(Infinity);
		expect(actions(live, 99)).toEqual(['drop']);
	});

	test('retries a full server until patience ends', () => {
		const live = fresh();
		actions(live, 0);
		live.refused(BUSY, 0);
		expect(live.takeEvents()).toEqual([
			{ type: 'disconnected', cause: 'busy', message: 'Busy.', retryInSeconds: 6 },
		]);
		expect(live.wakeAtSeconds).toBe(6);
		expect(actions(live, 5.9)).toEqual([]);
		expect(actions(live, 6)).toEqual(['connect']);
		live.refused(BUSY, 97);
		expect(live.failure).toMatchObject({ code: 'unreachable' });
	});

	test('asks a full server often enough to keep its position', () => {
		const live = fresh();
		const load = { speakers: 12, capacity: 12 };
		let now = 0;
		for (const retryInSeconds of [3, 4, 4, 4]) {
			expect(actions(live, now)).toEqual(['connect']);
			live.refused({ cause: 'full', message: 'Full.', retryAfterSeconds: 2, load }, now);
			expect(live.takeEvents()).toEqual([
				{ type: 'disconnected', cause: 'full', message: 'Full.', retryInSeconds, load },
			]);
			now += retryInSeconds;
		}
		expect(actions(live, now)).toEqual(['connect']);
		live.refused({ cause: 'full', message: 'Full.', retryAfterSeconds: 2 }, 97);
		expect(live.failure).toMatchObject({ code: 'server_full', message: 'Full.' });
	});

	test('reports a session that is refused with its first word as full', () => {
		const live = connected();
		const error = { code: 'server_full', message: 'Full.', retryable: true, retry_after_s: 5 };
		expect(live.isFull).toBe(false);
		live.received(message('error', error), 1);
		expect(live.isFull).toBe(true);
		const load = { speakers: 12, capacity: 12 };
		live.lost(1013, '', 1, load);
		expect(live.takeEvents().at(-1)).toEqual({
			type: 'disconnected',
			cause: 'full',
			message: 'Full.',
			retryInSeconds: 6,
			load,
		});
		expect(actions(live, 7)).toEqual(['connect']);
		live.opened(7);
		expect(live.isFull).toBe(false);
	});

	test('reports a session that is refused after the handshake as starting', () => {
		const live = fresh();
		actions(live, 0);
		live.opened(0);
		const error = { code: 'no_worker_ready', message: 'x', retryable: true, retry_after_s: 5 };
		live.received(message('error', error), 1);
		live.lost(1013, '', 1);
		expect(live.takeEvents().at(-1)).toEqual({
			type: 'disconnected',
			cause: 'starting',
			message: 'The server is starting.',
			retryInSeconds: 1,
		});
		expect(actions(live, 2)).toEqual(['connect']);
		live.opened(2);
		live.received(message('error', error), 3); // of another model: the session goes on
		live.lost(1006, '', 3);
		expect(live.takeEvents().at(-1)).toMatchObject({ cause: 'network' });
	});

	test('limits the retry time that a server requests', () => {
		const live = fresh({ ...RULES, patienceSeconds: Infinity });
		actions(live, 0);
		live.refused({ ...BUSY, retryAfterSeconds: 10 ** 9 }, 0);
		expect(live.wakeAtSeconds).toBe(MAX_RETRY_AFTER_SECONDS + 1);
	});

	test('is abandoned after a time limit', () => {
		const live = connected();
		live.lost(1006, '', 10);
		actions(live, 11);
		expect(live.wakeAtSeconds).toBe(11 + RULES.connectLimitSeconds);
		live.takeEvents();
		expect(actions(live, live.wakeAtSeconds)).toEqual(['drop']);
		expect(live.takeEvents()).toMatchObject([{ type: 'disconnected', cause: 'network' }]);
	});

	test('is not retried with a wrong key', () => {
		const live = fresh();
		actions(live, 0);
		live.failed(new AuricleError('unauthorized', 'No.'));
		expect(live.failure?.code).toBe('unauthorized');
		expect(live.wakeAtSeconds).toBe(Infinity);
	});
});

describe('a connection that ends', () => {
	test.each([
		[1006, 'network', 'The connection was lost.'],
		[1000, 'network', 'The connection was lost.'],
		[1011, 'network', 'Internal server error.'],
		[1012, 'restarting', 'The server is restarting.'],
		[1013, 'busy', 'The server is busy.'],
	])('with %i is followed by another', (code, cause, sentence) => {
		const live = connected();
		live.lost(code, '', 10);
		expect(live.takeEvents()).toEqual([
			{ type: 'disconnected', cause, message: sentence, retryInSeconds: 1 },
		]);
		expect(actions(live, 10.9)).toEqual([]);
		expect(actions(live, 11)).toEqual(['connect']);
		live.opened(11);
		expect(actions(live, 11)).toEqual(['resume']);
	});

	test('is followed by a reconnection at the time that the server names', () => {
		const live = connected();
		const error = { code: 'draining', message: 'Restarts.', retryable: true, retry_after_s: 3 };
		live.received(message('error', error), 10);
		live.lost(1012, '', 10);
		expect(live.wakeAtSeconds).toBe(14);
	});

	test.each([1002, 1003, 1007, 1008, 1009, 1010])('is final with close code %i', code => {
		const live = connected();
		live.received(message('error', { code: 'bad_audio', message: 'Why.', retryable: false }), 10);
		live.lost(code, 'reason', 10);
		expect(live.failure).toMatchObject({
			code: 'bad_audio',
			message: 'The server ended the stream: Why.',
		});
	});

	test('is followed by a reconnection after a rate limit', () => {
		const live = connected();
		const error = { code: 'rate_limited', message: 'Too much.', retryable: true, retry_after_s: 7 };
		live.received(message('error', error), 10);
		live.lost(1008, '', 10);
		expect(live.failure).toBeNull();
		expect(live.wakeAtSeconds).toBe(18);
		expect(live.takeEvents()).toContainEqual({
			type: 'disconnected',
			cause: 'network',
			message: 'Too much.',
			retryInSeconds: 8,
		});
	});

	test('does not carry its error to the next one', () => {
		const live = connected();
		live.received(message('error', { code: 'x', message: 'Why.', retryable: false }), 10);
		live.lost(1006, '', 10);
		actions(live, 11);
		live.opened(11);
		live.lost(1008, 'go', 12);
		expect(live.failure).toMatchObject({ code: 'refused', message: 'The server ended the stream: go' });
	});

	test('is followed by ever slower reconnections until work is done', () => {
		const live = connected();
		const waits: number[] = [];
		let now = 10;
		const breakOff = (received: number | null): void => {
			if (received !== null) {
				live.received(marks(received), now);
			}
			live.lost(1006, '', now);
			waits.push(live.wakeAtSeconds - now);
			now = live.wakeAtSeconds;
			actions(live, now);
			live.opened(now);
			actions(live, now);
			live.received(RESUMED, now);
		};
		for (const received of [null, null, 0, 5, 5, null]) {
			breakOff(received);
		}
		expect(waits).toEqual([1, 2, 4, 1, 2, 4]);
	});
});

describe('silence', () => {
	test('of a server that must answer ends the connection', () => {
		const live = connected();
		speak(live, 3);
		expect(actions(live, 50)).toContain('audio');
		expect(live.wakeAtSeconds).toBe(50 + RULES.silenceSeconds);
		expect(actions(live, 59)).toEqual([]);
		expect(actions(live, 60)).toEqual(['drop']);
		expect(live.takeEvents()).toMatchObject([
			{ type: 'disconnected', message: 'The server stopped responding.' },
		]);
	});

	test('of a server without pending work is ignored', () => {
		const live = connected();
		for (let now = 0; now < 1000; now += RULES.keepaliveSeconds) {
			expect(actions(live, now)).not.toContain('drop');
		}
	});

	test('ends with any message', () => {
		const live = connected();
		speak(live, 3);
		actions(live, 0);
		live.received(message('applause', {}), 9);
		expect(actions(live, 18.9)).not.toContain('drop');
		expect(actions(live, 19)).toEqual(['drop']);
	});

	test('may be longer after the last audio', () => {
		const live = connected();
		live.finish();
		expect(actions(live, 0)).toEqual(['stop']);
		expect(actions(live, RULES.lastWordsSeconds - 0.1)).not.toContain('drop');
		expect(actions(live, RULES.lastWordsSeconds)).toEqual(['drop']);
		expect(live.failure).toBeNull();
	});

	test('before ready ends the connection', () => {
		const live = fresh();
		actions(live, 0);
		live.opened(0);
		expect(actions(live, 0)).toEqual(['start']);
		expect(actions(live, RULES.silenceSeconds)).toEqual(['drop']);
	});

	test('of the client is interrupted by keep-alive messages', () => {
		const live = connected();
		expect(live.wakeAtSeconds).toBe(RULES.keepaliveSeconds);
		expect(actions(live, RULES.keepaliveSeconds)).toEqual(['keepalive']);
		expect(live.wakeAtSeconds).toBe(2 * RULES.keepaliveSeconds);
	});
});

test('messages wait while the connection is busy', () => {
	const live = connected();
	speak(live, 1);
	expect(live.poll(0, false)).toBeNull();
	expect(actions(live, 0)).toEqual(['audio']);
});

test('ends with the last final', () => {
	const live = connected();
	live.finish();
	actions(live, 0);
	live.received(CLOSED, 1);
	expect(live.isOver).toBe(true);
	expect(live.takeEvents()).toMatchObject([{ type: 'closed' }]);
	expect(actions(live, 1)).toEqual(['drop']);
	live.lost(1000, '', 1);
	live.failed(new AuricleError('x', 'late'));
	expect(live.failure).toBeNull();
	expect(live.wakeAtSeconds).toBe(Infinity);
});

test('ends with an invalid message', () => {
	const live = connected();
	live.received('{', 1);
	expect(live.failure).toMatchObject({ code: 'bad_message' });
	expect(actions(live, 1)).toEqual(['drop']);
	live.received(READY, 2);
	expect(live.takeEvents()).toEqual([]);
});

test('drops the oldest waiting speech', () => {
	const live = connected();
	live.lost(1006, '', 1);
	speak(live, RULES.maxKeptSeconds + 1);
	expect(live.droppedSamples).toBe(SAMPLE_RATE_HZ);
});

test('reports a failed encoder and continues in PCM', () => {
	const live = new ClientSession({}, 'opus', RULES);
	live.switchToPcm('It broke.');
	expect(live.format).toBe('pcm16');
	expect(live.takeEvents()).toEqual([
		{ type: 'warning', code: 'encoder_failed', message: 'It broke.', gapMilliseconds: null },
	]);
});
