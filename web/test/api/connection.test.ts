import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connection, type ConnectionSettings, sleep } from '../../src/api/connection.js';
import { ApiServer, problem } from '../fakes/api-server.js';

const FULL = { status: 503, body: problem('queue_full', { retryable: true, retry_after_s: 0.01 }) };
const JOB = { path: ['jobs', 'a'] };

let server: ApiServer;
beforeEach(async () => {
	server = await ApiServer.start();
});
afterEach(() => server.stop());

const connect = (settings: Partial<ConnectionSettings> = {}): Connection =>
	new Connection({
		url: server.url,
		apiKey: 'secret',
		timeoutSeconds: 20,
		patienceSeconds: 20,
		fetch,
		...settings,
	});

const list = async <T>(iterable: AsyncIterable<T>): Promise<T[]> => {
	const items: T[] = [];
	for await (const item of iterable) {
		items.push(item);
	}
	return items;
};

test('a key, a quoted path, a query and a body are sent', async () => {
	const connection = connect();
	await connection.text({
		method: 'PATCH',
		path: ['a/b', 'ü'],
		query: { q: 'x y&z' },
		json: { name: 'Ann' },
	});
	const [request] = server.received;
	expect(request?.line).toBe('PATCH /a%2Fb/%C3%BC?q=x+y%26z');
	expect(request?.headers).toMatchObject({
		authorization: 'Bearer secret',
		'content-type': 'application/json',
	});
	expect(request?.body).toBe('{"name":"Ann"}');
	await connection.text({ method: 'POST', path: ['utterance'], audio: new Blob(['12345']) });
	expect(server.received[1]).toMatchObject({ body: '12345', headers: { 'content-length': '5' } });
});

test('a function gives a fresh token for each request', async () => {
	let count = 0;
	const connection = connect({ apiKey: () => `token-${++count}` });
	await connection.text(JOB);
	await connection.text(JOB);
	expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
		'Bearer token-1',
		'Bearer token-2',
	]);
	await connect({ apiKey: undefined }).text(JOB);
	expect(server.received[2]?.headers.authorization).toBeUndefined();
});

test('a busy server is asked again', async () => {
	server.answers = [FULL, FULL, { body: 'done' }];
	expect(await connect().text(JOB)).toBe('done');
	expect(server.lines).toEqual(['GET /jobs/a', 'GET /jobs/a', 'GET /jobs/a']);
});

test('the patience has an end', async () => {
	server.answers = [FULL];
	await expect(connect({ patienceSeconds: 0 }).text(JOB)).rejects.toMatchObject({ code: 'queue_full' });
});

test('what would fail again is not repeated', async () => {
	server.answers = [{ status: 404, body: problem('not_found') }];
	await expect(connect().text(JOB)).rejects.toMatchObject({ code: 'not_found', status: 404 });
	expect(server.lines).toHaveLength(1);
});

test('a lost response is requested again where that is safe', async () => {
	const connection = connect();
	await connection.text(JOB);
	server.answers = [null, { body: 'again' }];
	expect(await connection.text(JOB)).toBe('again');
	server.answers = [null];
	const deletion = { ...JOB, method: 'DELETE', isRepeatable: false } as const;
	await expect(connection.text(deletion)).rejects.toMatchObject({ code: 'unreachable' });
});

test('a server that has never answered is not waited for', async () => {
	const connection = connect({ url: 'http://127.0.0.1:1' });
	await expect(connection.text(JOB)).rejects.toMatchObject({ code: 'unreachable', status: 0 });
});

test('a silent server is given up', async () => {
	const silent: typeof fetch = (_, init) =>
		new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(new TypeError())));
	const connection = connect({ fetch: silent });
	await expect(connection.text({ ...JOB, limitSeconds: 0.05 })).rejects.toThrow('did not answer in time');
});

test('an upload has more time than a silent server', async () => {
	const slow: typeof fetch = async () => {
		await sleep(0.2);
		return new Response('done');
	};
	const call = { method: 'POST', path: ['utterance'], limitSeconds: 0.05 } as const;
	const connection = connect({ fetch: slow });
	expect(await connection.text({ ...call, audio: new Blob(['x'.repeat(100_000)]) })).toBe('done');
});

test('the caller ends a request, a pause and a wait with the reason', async () => {
	const reason = new Error('enough');
	await expect(connect().text({ ...JOB, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
	server.answers = [{ ...FULL, body: problem('queue_full', { retryable: true, retry_after_s: 60 }) }];
	const controller = new AbortController();
	const text = connect({ patienceSeconds: 120 }).text({ ...JOB, signal: controller.signal });
	await expect.poll(() => server.lines).toHaveLength(1);
	controller.abort(reason);
	await expect(text).rejects.toBe(reason);
	await expect(sleep(60, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('a list goes on with the next page up to its limit', async () => {
	server.answers = [{ body: { items: [1, 2], next: 7 } }, { body: { items: [3], next: null } }];
	const decode = (page: never): { items: number[]; next: number | null } => page;
	expect(await list(connect().items({ path: ['jobs'], query: { state: 'done' } }, 5, decode))).toEqual([
		1, 2, 3,
	]);
	expect(server.lines).toEqual(['GET /jobs?state=done&limit=5', 'GET /jobs?state=done&limit=3&before=7']);
});

test('lines are passed on, and errors before them are reported', async () => {
	server.answers = [{ body: 'data: ü\r\n\n: 2\n' }, { status: 404, body: problem('not_found') }];
	expect(await list(connect().lines(JOB))).toEqual(['data: ü', '', ': 2']);
	await expect(list(connect().lines(JOB))).rejects.toMatchObject({ code: 'not_found' });
});
