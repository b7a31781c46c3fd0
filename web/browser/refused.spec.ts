/** Servers that can't be had, for each of the reasons. */

import { API_KEY, THIRD_KEY } from './auricle.js';
import { expect, listen, test } from './fixtures.js';

declare global {
	/** What happened, in order. */
	var tokens: string[];
}

/** Time enough to connect on a slow machine. */
const FIRST_TOKEN_SECONDS = 10;

test('reports a wrong key', async ({ client }) => {
	await expect(listen(client, { apiKey: 'wrong' })).rejects.toThrow('The server does not know this key.');
});

test('reports an unreachable server', async ({ client, gateway }) => {
	gateway.cut();
	await expect(listen(client)).rejects.toThrow('The server cannot be reached.');
});

test('reports a full server and retries', async ({ client, server }) => {
	const full = await server.fill();
	expect(full.status).toBe(503);
	expect(full.retryAfterSeconds).toBeGreaterThan(0);
	const told = await client.evaluateHandle(apiKey => {
		const client = new globalThis.auricle.LiveClient({ apiKey });
		const told: unknown[] = [];
		client.on('disconnected', event => told.push(event));
		client.on('connected', event => {
			told.push(event);
			void client.finish();
		});
		return told;
	}, THIRD_KEY);
	await expect.poll(() => told.jsonValue()).toHaveLength(1);
	full.leave();
	await expect
		.poll(() => told.jsonValue())
		.toMatchObject([
			{ type: 'disconnected', cause: 'full', message: 'The server is full.' },
			{ type: 'connected', resumed: false },
		]);
});

test('uses a fresh token for each connection', { tag: '@live' }, async ({ client, gateway }) => {
	const EXPIRED = 'This token has expired: get a new one.';
	await client.evaluate(
		async ({ key, firstSeconds }) => {
			globalThis.tokens = [];
			const apiKey = async (): Promise<string> => {
				const headers = { Authorization: `Bearer ${key}` };
				const body = JSON.stringify({ ttl_s: globalThis.tokens.length === 0 ? firstSeconds : 60 });
				const answer = await fetch('/v1/auth/token', { method: 'POST', headers, body });
				const { token } = (await answer.json()) as { token: string };
				globalThis.tokens.push(token);
				return token;
			};
			const client = (globalThis.client = new globalThis.auricle.LiveClient({ apiKey }));
			const connected = new Promise<void>(resolve => {
				client.on('connected', ({ resumed }) => {
					globalThis.tokens.push(resumed ? 'resumed' : 'new');
					resolve();
				});
			});
			await Promise.race([connected, client.closed]);
		},
		{ key: API_KEY, firstSeconds: FIRST_TOKEN_SECONDS },
	);
	await client.waitForTimeout((FIRST_TOKEN_SECONDS + 1) * 1000); // its time, rounded up, is over, and the stream goes on
	gateway.cut();
	gateway.mend();
	await expect.poll(() => client.evaluate(() => globalThis.tokens.length)).toBe(4);
	const [first = '', isNew, second, isResumed] = await client.evaluate(async () => {
		await globalThis.client.finish();
		return globalThis.tokens;
	});
	expect([isNew, isResumed]).toEqual(['new', 'resumed']);
	expect(second).not.toBe(first);
	await expect(listen(client, { apiKey: first })).rejects.toThrow(EXPIRED);
});
