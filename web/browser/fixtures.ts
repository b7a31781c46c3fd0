/** What the tests in a browser share: one server, and for each test a gateway and a page. */

import { type Page, test as base } from '@playwright/test';
import type * as auricleClient from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { FAKE_MICROPHONE_SECONDS } from './clip.js';
import { Gateway } from './gateway.js';

declare global {
	// The page sets it.
	var auricle: typeof auricleClient;
}

/** What came of a stream. */
export interface Heard {
	readonly text: string;
	readonly events: readonly auricleClient.LiveEvent[];
	readonly closed: auricleClient.Closed;
}

interface Own {
	readonly gateway: Gateway;
	readonly client: Page;
}

interface Shared {
	readonly server: Auricle;
}

export const test = base.extend<Own, Shared>({
	server: [
		async ({}, use) => {
			const server = await Auricle.start();
			await use(server);
			await server.stop();
		},
		{ scope: 'worker', timeout: 180_000 },
	],
	gateway: async ({ server }, use) => {
		const gateway = await Gateway.open(server.port);
		await use(gateway);
		await gateway.close();
	},
	client: async ({ gateway, page }, use) => {
		const problems: string[] = [];
		page.on('pageerror', error => problems.push(error.message));
		await page.goto(gateway.url);
		await page.waitForFunction(() => 'auricle' in globalThis);
		await use(page);
		base.expect(problems).toEqual([]);
	},
});

export const { expect } = base;

/** Lets the fake microphone speak to the end; returns what was heard. */
export async function listen(page: Page, options: auricleClient.LiveClientOptions = {}): Promise<Heard> {
	return page.evaluate(
		async ({ asked, seconds }) => {
			const client = new globalThis.auricle.LiveClient(asked);
			const events: auricleClient.LiveEvent[] = [];
			const finals: string[] = [];
			client.on('final', ({ text }) => finals.push(text));
			const reading = (async () => {
				for await (const event of client) {
					events.push(event);
				}
			})();
			reading.catch(() => undefined); // it fails when the stream does, and that is seen below
			await client.useMicrophone();
			await Promise.race([client.closed, new Promise(resolve => setTimeout(resolve, seconds * 1000))]);
			const closed = await client.finish();
			await reading;
			return { text: finals.join(' '), events, closed };
		},
		{ asked: { language: 'en', apiKey: API_KEY, ...options }, seconds: FAKE_MICROPHONE_SECONDS },
	);
}
