import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import { Driver, type DriverOptions } from '../src/driver.js';
import { LiveSession } from '../src/live-session.js';
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
	const session = new LiveSession({}, 'pcm16', DEFAULT_RULES, () => 1);
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

test('a connection is opened, used and closed', async () => {
	const { session, driver, onEvent, onEnd } = await driving();
	expect(socket().url.href).toBe('ws://captions.example/v1/stream');
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

test('a key travels as a subprotocol, and in no address', async () => {
	await driving({ apiKey: 'KEY' });
	expect(socket().protocols).toEqual(['auricle', 'key.KEY']);
	expect(socket().url.href).not.toContain('KEY');
});

test("a key that can't travel so is told", async () => {
	const { onEnd } = await driving({ apiKey: 'a b' });
	expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'bad_parameters' }));
});

test('each connection shows a fresh token, where there is something to ask for one', async () => {
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

test('without a token there is no connection, but there may be one later', async () => {
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

test('a connection that nobody waits for any more is not listened to', async () => {
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

test('a network that takes no more gets no more, until it does', async () => {
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

test('a server that can not be had at first is told', async () => {
	const { onEnd } = await driving();
	socket().onclose?.({ code: 1006, reason: '' });
	await vi.advanceTimersByTimeAsync(0);
	expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'unreachable' }));
});

describe('a token that has expired on its way', () => {
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

	test('is followed by the next', async () => {
		const { onEnd } = await refusedOnReturn(() => Promise.resolve('t'));
		await vi.advanceTimersByTimeAsync(1000);
		expect(FakeWebSocket.all).toHaveLength(3);
		expect(onEnd).not.toHaveBeenCalled();
	});

	test('is the end where there is no other', async () => {
		const { onEnd } = await refusedOnReturn('t');
		expect(onEnd).toHaveBeenCalledWith(expect.objectContaining({ code: 'token_expired' }));
	});
});
