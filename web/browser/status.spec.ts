/** The page of whoever runs the server, while its workers crash. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { API_KEY, Auricle, OPERATOR_KEY } from './auricle.js';
import { SENTENCE, TESTDATA, words } from './clip.js';
import { expect, isChromium, test as base } from './fixtures.js';

/** So long is a worker away that has died twice in a row, at the least half of it. */
const BACK_OFF_SECONDS = 8;

/** A worker's start takes 3 s on a quiet machine. */
const RECOVERY = { timeout: 60_000 };

const test = base.extend<{ status: Page }, { server: Auricle }>({
	server: [
		async ({}, use) => {
			const server = await Auricle.start({
				AURICLE_WORKERS: '2',
				BENCH_FIXED_VALUES: JSON.stringify({ backoff_first_s: BACK_OFF_SECONDS }),
			});
			await use(server);
			await server.stop();
		},
		{ scope: 'worker', timeout: 180_000 },
	],
	status: async ({ page, server }, use) => {
		const problems: string[] = [];
		page.on('pageerror', error => problems.push(error.message));
		page.on('console', message => {
			if (message.type() === 'error' && !message.text().includes('ERR_INTERNET_DISCONNECTED')) {
				problems.push(message.text()); // what the policy forbids, for one
			}
		});
		await page.goto(`http://127.0.0.1:${server.port}/status`);
		await expect(page.locator('#state')).toHaveText('OK');
		await use(page);
		expect(problems).toEqual([]);
	},
});

/** Returns the cells of a worker's row. */
async function cells(page: Page, worker: string): Promise<string[]> {
	const row = page.locator('#workers tr', {
		has: page.getByRole('rowheader', { name: worker, exact: true }),
	});
	return row.locator('th, td').allTextContents();
}

/** Gives the page the health of a server with a worker that waits, however late a slow page asks for it. */
async function showWaiting(page: Page, server: Auricle): Promise<void> {
	const headers = { Authorization: `Bearer ${OPERATOR_KEY}` };
	const health = async (): Promise<string> =>
		(await fetch(`http://127.0.0.1:${server.port}/health`, { headers })).text();
	let body = await health();
	while (!body.includes('"backing_off"')) {
		body = await health();
	}
	await page.route('**/health', route => route.fulfill({ contentType: 'application/json', body }));
}

/** Asks for text again and again until it is told to stop; returns how often, if every answer was right. */
function load(port: number): () => Promise<number> {
	const audio = readFileSync(new URL(SENTENCE.file, TESTDATA));
	const headers = { Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'audio/wav' };
	const over = new AbortController();
	const asking = (async () => {
		let count = 0;
		while (!over.signal.aborted) {
			const url = `http://127.0.0.1:${port}/utterance?language=en&max_wait_s=120`; // a busy machine is slow
			const answer = await fetch(url, { method: 'POST', headers, body: audio });
			const body = await answer.text();
			if (answer.status === 503) {
				await sleep(1000 * Number(answer.headers.get('retry-after')));
				continue;
			}
			expect(answer.status, body).toBe(200);
			const { text } = JSON.parse(body) as { text: string };
			expect(words(text)).toEqual(words(SENTENCE.text));
			count += 1;
		}
		return count;
	})();
	asking.catch(() => undefined); // it is awaited below
	return () => {
		over.abort();
		return asking;
	};
}

test(
	'shows a crash and its recovery, without effect on others',
	{ tag: '@live' },
	async ({ status: page, server }) => {
		const stop = load(server.port);
		await page.getByLabel('Operator’s key').fill(OPERATOR_KEY);
		await page.getByRole('button', { name: 'Show', exact: true }).click();

		await server.killWorker('SIGSEGV');
		const crash = page.locator('#crashes li').first();
		await expect(crash).toContainText('asr-1 crashed (SIGSEGV)');
		await crash.getByText('Stack at the crash').click();
		await expect(crash.locator('pre')).toContainText('asr/child.py');
		await expect.poll(async () => (await cells(page, 'asr-1'))[3]).toBe('1'); // restarts
		await expect(page.locator('#state')).toHaveText('OK', RECOVERY);

		const before = (await server.worker()).pid;
		await server.killWorker('SIGKILL');
		await expect
			.poll(async () => (await server.worker()).pid ?? before, { ...RECOVERY, intervals: [50] })
			.not.toBe(before);
		await server.killWorker('SIGKILL'); // a second death in a row: it waits before it starts again
		await showWaiting(page, server);
		await expect(page.locator('#state')).toHaveText('Degraded: not all workers and models are ready');
		await expect.poll(async () => (await cells(page, 'asr-1'))[1]).toBe('waiting to restart');
		await expect(page.locator('.card-workers .figure')).toHaveText('1');
		await expect(crash).toContainText('asr-1 was killed (SIGKILL)');
		await expect(page.locator('.card-workers')).toContainText('3 crashes');
		await expect(page.locator('.card-workers .chart-mark')).toHaveCount(1); // one path for all of them
		await page.unroute('**/health');

		await expect(page.locator('#state')).toHaveText('OK', RECOVERY);
		expect((await cells(page, 'asr-1')).slice(0, 4)).toEqual([
			'asr-1',
			expect.stringMatching('ready|busy'),
			`${(await server.worker()).pid ?? ''}`,
			'3',
		]);
		await expect(crash).toBeVisible(); // it is kept
		expect(await stop()).toBeGreaterThan(1);
	},
);

test(
	'keeps its content while the server is away, then continues',
	{ tag: '@smoke' },
	async ({ status: page }) => {
		await expect(page.locator('#workers tr')).toHaveCount(4); // two recognise, two read files
		await expect(page.locator('#about')).toHaveText(/running since \w+ \d+, \d{4}, \d\d:\d\d:\d\d$/);
		await page.context().setOffline(true);
		await expect(page.locator('#state')).toHaveText(/^Unreachable since \d\d:\d\d:\d\d\. /);
		await expect(page.locator('#workers tr')).toHaveCount(4);
		await page.context().setOffline(false);
		await expect(page.locator('#state')).toHaveText('OK');
	},
);

test('shows stacks to the operator while the tab is open', async ({ status: page, server }) => {
	await server.killWorker('SIGSEGV');
	const crash = page.locator('#crashes li').first();
	await expect(crash).toContainText('Enter the operator’s key to see the stack.');
	const field = page.getByLabel('Operator’s key');
	await field.fill('ключ');
	await field.press('Enter');
	await expect(page.getByRole('alert')).toHaveText('Wrong operator’s key.');
	await field.fill(OPERATOR_KEY);
	await field.press('Enter');
	await expect(page.locator('#operator-wrong')).toBeEmpty();
	await expect(crash.getByText('Stack at the crash')).toBeVisible();
	await page.reload();
	await expect(crash.getByText('Stack at the crash')).toBeVisible();
	await page.getByRole('button', { name: 'Forget the key' }).click();
	await expect(crash).toContainText('Enter the operator’s key to see the stack.');
	expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test('counts wrong keys apart from failures, and shows the use by key to the operator', async ({
	status: page,
	server,
}) => {
	const ask = (key: string): Promise<Response> =>
		fetch(`http://127.0.0.1:${server.port}/v1/sessions`, { headers: { Authorization: `Bearer ${key}` } });
	expect((await ask('wrong')).status).toBe(401);
	expect((await ask(API_KEY)).status).toBe(200);
	await expect(page.locator('#refusals tr')).toHaveText(['unauthorizedno key or a wrong keyclient1']);
	await expect(page.locator('.card-refusals .note')).toHaveText(
		'0 in 15 minutes · 1 more for wrong keys or limits',
	);
	await expect(page.locator('.card-memory .range')).toHaveText(/^[\d.]+ GB0$/);
	await expect(page.locator('#clients')).toBeHidden();
	await page.getByLabel('Operator’s key').fill(OPERATOR_KEY);
	await page.getByRole('button', { name: 'Show', exact: true }).click();
	await expect(page.locator('#clients tr').filter({ hasText: 'browser' })).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
	test(`is accessible with ${colorScheme} colours`, async ({ status: page }) => {
		test.skip(!isChromium(page), 'axe crashes Firefox here');
		await page.emulateMedia({ colorScheme });
		await page.getByText('Show as a table').click();
		await expect(page.locator('#minutes tr').first()).toBeVisible();
		const chart = page.getByRole('img', { name: 'Workers: The last 15 minutes' });
		await expect(chart).toHaveAccessibleDescription(/2 of 2 ready; /);
		const { violations } = await new AxeBuilder({ page }).analyze();
		expect(violations).toEqual([]);
		await page.setViewportSize({ width: 320, height: 568 });
		expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
	});
}

test.describe('in Chinese', () => {
	test.use({ locale: 'zh-CN' });

	test('the page is in Chinese', async ({ page, server }) => {
		await page.goto(`http://127.0.0.1:${server.port}/status`);
		await expect(page.locator('#state')).toHaveText('一切正常');
		await expect(page.locator('html')).toHaveAttribute('lang', 'zh');
	});
});
