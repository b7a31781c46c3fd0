import { expect, test } from 'vitest';
import { type Fetch, refusalReason } from '../src/refusal.js';

const STREAM = new URL('ws://captions.example:6007/here/v1/stream');

interface Answer {
	readonly status?: number;
	readonly body?: unknown;
	readonly retryAfter?: string;
}

/** A server that is well and knows the key, but for what is said. */
function server(answers: Readonly<Record<string, Answer>>, asked: string[] = []): Fetch {
	const well: Readonly<Record<string, Answer>> = {
		'/readyz': {},
		'/jobs/-': { status: 404 },
		'/health': { body: { sessions: { connected: 1, waiting: 1, max: 4 } } },
	};
	return (url, init) => {
		const path = url.replace('http://captions.example:6007/here', '');
		const key = (init.headers as Record<string, string>)['Authorization'];
		asked.push(`${path} ${key ?? ''}`);
		const { status = 200, body = {}, retryAfter } = { ...well, ...answers }[path] ?? {};
		const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
		return Promise.resolve(new Response(JSON.stringify(body), { status, headers }));
	};
}

const error = (code: string) => ({ error: { code, message: 'x', retryable: true } });

test('a starting server is asked again soon', async () => {
	const ask = server({ '/readyz': { status: 503, body: error('no_worker_ready'), retryAfter: '3' } });
	expect(await refusalReason(STREAM, undefined, ask)).toMatchObject({
		cause: 'starting',
		retryAfterSeconds: 0,
	});
});

test('a draining server is restarting', async () => {
	const ask = server({ '/readyz': { status: 503, body: error('draining'), retryAfter: '2' } });
	expect(await refusalReason(STREAM, undefined, ask)).toMatchObject({
		cause: 'restarting',
		retryAfterSeconds: 2,
	});
});

test('a proxy without a server counts as unreachable', async () => {
	const ask = server({ '/readyz': { status: 502, retryAfter: 'Wed, 21 Oct' } });
	expect(await refusalReason(STREAM, undefined, ask)).toEqual({
		cause: 'network',
		message: 'The server returned status 502.',
		retryAfterSeconds: 0,
	});
});

test('a wrong key is final', async () => {
	const asked: string[] = [];
	const ask = server({ '/jobs/-': { status: 401 } }, asked);
	expect(await refusalReason(STREAM, 'secret', ask)).toMatchObject({ code: 'unauthorized' });
	expect(asked).toContain('/jobs/- Bearer secret');
});

test('an expired token differs from a wrong one', async () => {
	const ask = server({ '/jobs/-': { status: 401, body: error('token_expired') } });
	expect(await refusalReason(STREAM, 'tok1.1.x', ask)).toMatchObject({ code: 'token_expired' });
});

test('a rejected origin is final', async () => {
	const ask = server({ '/jobs/-': { status: 403 } });
	expect(await refusalReason(STREAM, undefined, ask)).toMatchObject({ code: 'forbidden_origin' });
});

test('a server that holds no other speaker reports how many it holds', async () => {
	const live = { speakers: 12.4, capacity: 11.6, learned: true, late: false, waiting_clients: 1 };
	const ask = server({ '/health': { body: { sessions: { connected: 1, waiting: 0, max: 1000 }, live } } });
	expect(await refusalReason(STREAM, undefined, ask)).toEqual({
		cause: 'full',
		message: 'The server is full.',
		retryAfterSeconds: 2,
		load: { speakers: 12, capacity: 12 },
	});
});

test('a server at its session limit is full', async () => {
	const ask = server({ '/health': { body: { sessions: { connected: 3, waiting: 1, max: 4 } } } });
	expect(await refusalReason(STREAM, undefined, ask)).toMatchObject({
		cause: 'full',
		message: 'The server is full.',
		retryAfterSeconds: 2,
	});
});

test.each([
	{ sessions: { connected: 1, waiting: 1, max: 4 } },
	{ live: { speakers: 1, capacity: 32, learned: false, late: false, waiting_clients: 0 } },
	{},
	null,
])('a refusal for another reason counts as busy (%#)', async body => {
	expect(await refusalReason(STREAM, undefined, server({ '/health': { body } }))).toMatchObject({
		cause: 'busy',
		message: 'The server accepts no new connections.',
	});
});

test('a network error counts as unreachable', async () => {
	const ask: Fetch = () => Promise.reject(new TypeError('Failed to fetch'));
	expect(await refusalReason(STREAM, undefined, ask)).toMatchObject({
		cause: 'network',
		retryAfterSeconds: 0,
	});
});
