import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import { Driver, type DriverOptions } from '../src/driver.js';
import { ClientSession } from '../src/client-session.js';
import { FakeWebSocket } from './fakes/web-socket.js';

const READY = {
	type: 'ready',
	session: 'A',
	secret: 's',
	resumed: false,
	resumable: true,
	received: 0,
	safe: 0,
};
const CLOSED = { type: 'closed', reason: 'stop', audio_s: 0, packets: 0, lost_packets: 0, decode_errors: 0 };

beforeEach(() => {
	FakeWebSocket.all = [];
	vi.useFakeTimers();
	vi.stubGlobal('WebSocket', FakeWebSocket);
	vi.stubGlobal('fetch', () => Promise.reject(new TypeError('nobody')));
});

afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

async function driving(more: Partial<DriverOptions> = {}) {
	const session = new ClientSession({}, 'pcm16', DEFAULT_RULES, () => 1);
	const onEvent = vi.fn();
	const onEnd = vi.fn();
	const driver = new Driver(session, {
		url: new URL('ws://captions.example/v1/stream'),
		apiKey: undefined,
		onEvent,
		onEnd,
		...more,
	});
	driver.turn();
	await vi.advanceTimersByTimeAsync(0);
	return { session, driver, onEvent, onEnd };
}

function socket(index = -1): FakeWebSocket {
	const found = FakeWebSocket.all.at(index);
	if (found === undefined) throw new Error('nobody has connected');
	return found;
}

const types = (of: FakeWebSocket): string[] =>
	of.sent.map(data => (typeof data === 'string' ? (JSON.parse(data) as { type: string }).type : 'audio'));

test('opens, uses and closes a connection', async () => {
	const { session, driver, onEvent, onEnd } = await driving();
	expect(socket().url.href).toMatch(/^ws:\/\/captions\.example\/v1\/stream\?waiter=\w+$/);
	expect(socket().protocols).toEqual(['auricle']);
	socket().onopen?.();
	session.append(new Int16Array(FRAME_SAMPLES), null);
	driver.turn();
	expect(types(socket())).toEqual(['start']);
	socket().say(READY);
	session.finish();
	driver.turn();
	expect(types(socket())).toEqual(['start', 'audio', 'stop']);
	socket().say(CLOSED);
	expect(onEvent.mock.calls.map(([event]) => (event as { type: string }).type)).toEqual([
		'connected',
		'closed',
	]);
	expect(onEnd.mock.calls).toEqual([[null]]);
	expect(socket().closedWith).toBe(1000);
});

test('sends the key as a subprotocol, never in the address', async () => {
	await driving({ apiKey: 'KEY' });
	expect(socket().protocols).toEqual(['auricle', 'key.KEY']);
	expect(socket().url.href).not.toContain('KEY');
});

test('reports a key that cannot be a subprotocol', async () => {
	const { onEnd } = await driving({ apiKey: 'a b' });
	expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'bad_parameters' }));
});

test('requests a fresh token for each connection', async () => {
	let tokens = 0;
	await driving({ apiKey: () => Promise.resolve(`t${++tokens}`) });
	expect(socket().protocols).toEqual(['auricle', 'key.t1']);
	socket().onopen?.();
	socket().say(READY);
	socket().onclose?.({ code: 1006, reason: '' });
	await vi.advanceTimersByTimeAsync(1000);
	expect(FakeWebSocket.all).toHaveLength(2);
	expect(socket().protocols).toEqual(['auricle', 'key.t2']);
	expect(socket().url.searchParams.get('resume')).toBe('1');
});

test('retries later if it gets no token', async () => {
	let hasToken = true;
	const apiKey = () => (hasToken ? Promise.resolve('t') : Promise.reject(new Error('offline')));
	const { onEnd, onEvent } = await driving({ apiKey });
	socket().onopen?.();
	socket().say(READY);
	hasToken = false;
	socket().onclose?.({ code: 1006, reason: '' });
	await vi.advanceTimersByTimeAsync(5000);
	expect(FakeWebSocket.all).toHaveLength(1);
	expect(onEvent.mock.lastCall).toMatchObject([{ type: 'disconnected', cause: 'network' }]);
	hasToken = true;
	await vi.advanceTimersByTimeAsync(10_000);
	expect(FakeWebSocket.all).toHaveLength(2);
	expect(onEnd).not.toHaveBeenCalled();
});

test('ignores events of an abandoned connection', async () => {
	const { onEvent, session } = await driving();
	socket().onopen?.();
	socket().say(READY);
	socket().onclose?.({ code: 1006, reason: '' });
	await vi.advanceTimersByTimeAsync(1000);
	const late = socket();
	await vi.advanceTimersByTimeAsync(DEFAULT_RULES.connectLimitSeconds * 1000);
	expect(late.closedWith).toBe(1000);
	onEvent.mockClear();
	late.onopen?.();
	late.onclose?.({ code: 1008, reason: 'x' });
	expect(late.sent).toEqual([]);
	expect(session.failure).toBeNull();
});

test('sends nothing while the send buffer is full', async () => {
	const { session, driver } = await driving();
	socket().onopen?.();
	socket().say(READY);
	socket().bufferedAmount = 256 * 1024;
	session.append(new Int16Array(FRAME_SAMPLES), null);
	driver.turn();
	expect(types(socket())).toEqual(['start']);
	socket().bufferedAmount = 0;
	await vi.advanceTimersByTimeAsync(100);
	expect(types(socket())).toEqual(['start', 'audio']);
});

test('reports a server that cannot be reached at first', async () => {
	const { onEnd } = await driving();
	socket().onclose?.({ code: 1006, reason: '' });
	await vi.advanceTimersByTimeAsync(0);
	expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'unreachable' }));
});

test.each([
	[
		{ live: { speakers: 11.7, capacity: 12.2, waiting_clients: 1 } },
		{ load: { speakers: 12, capacity: 12 } },
	],
	[{ live: { speakers: 11.7, capacity: 12.2, waiting_clients: 0 } }, {}],
	[null, {}],
])(
	'reports how many people a server transcribes that is full after the handshake (%#)',
	async (health, more) => {
		const asked: string[] = [];
		vi.stubGlobal('fetch', (url: string) => {
			asked.push(url);
			return health === null
				? Promise.reject(new TypeError('nobody'))
				: Promise.resolve(Response.json(health));
		});
		const { onEvent } = await driving();
		socket().onopen?.();
		socket().say({ type: 'error', code: 'server_full', message: 'Full.', retryable: true, retry_after_s: 5 });
		socket().onclose?.({ code: 1013, reason: '' });
		await vi.advanceTimersByTimeAsync(0);
		expect(asked).toEqual(['http://captions.example/health']);
		const event = { type: 'disconnected', cause: 'full', message: 'Full.', retryInSeconds: 5.25, ...more };
		expect(onEvent).toHaveBeenLastCalledWith(event);
		await vi.advanceTimersByTimeAsync(5250);
		expect(FakeWebSocket.all).toHaveLength(2);
	},
);

describe('an expired token', () => {
	beforeEach(() => {
		vi.stubGlobal('fetch', (url: string) =>
			Promise.resolve(
				url.endsWith('/readyz')
					? new Response('{}')
					: new Response('{"error": {"code": "token_expired"}}', { status: 401 }),
			),
		);
	});

	async function refusedOnReturn(apiKey: DriverOptions['apiKey']) {
		const all = await driving({ apiKey });
		socket().onopen?.();
		socket().say(READY);
		socket().onclose?.({ code: 1006, reason: '' });
		await vi.advanceTimersByTimeAsync(1000);
		socket().onclose?.({ code: 1006, reason: '' });
		await vi.advanceTimersByTimeAsync(0);
		return all;
	}

	test('is replaced by a fresh one', async () => {
		const { onEnd } = await refusedOnReturn(() => Promise.resolve('t'));
		await vi.advanceTimersByTimeAsync(1000);
		expect(FakeWebSocket.all).toHaveLength(3);
		expect(onEnd).not.toHaveBeenCalled();
	});

	test('ends the stream if there is no other', async () => {
		const { onEnd } = await refusedOnReturn('t');
		expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'token_expired' }));
	});
});
