/**
 * Pictures of the pages in every state, for the documentation: `make screenshots`. Each state is also checked by axe.
 *
 * A state has two pictures: `NAME.png` is a light desktop in English, `NAME-phone.png` a dark phone in Chinese.
 */

import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { Client } from '../src/index.js';
import { API_KEY, Auricle, OPERATOR_KEY } from './auricle.js';
import { test as base, drop, keep, waitLongToDelete } from './captions-page.js';
import { expect } from './fixtures.js';

const FOLDER = process.env['AURICLE_SCREENSHOTS'] ?? '';
const DESKTOP = { width: 1200, height: 750 };
const PHONE = { width: 390, height: 844 };
/** A worker's start takes 3 s on a quiet machine. */
const RECOVERY = { timeout: 60_000 };

const test = base.extend<{ captions: Page }, { crashing: Auricle }>({
	captions: async ({ captions }, use) => {
		await captions.setViewportSize(DESKTOP);
		await use(captions);
	},
	crashing: [
		async ({}, use) => {
			const server = await Auricle.start({
				AURICLE_WORKERS: '2',
				BENCH_FIXED_VALUES: JSON.stringify({ backoff_first_s: 8 }),
			});
			await use(server);
			await server.stop();
		},
		{ scope: 'worker', timeout: 180_000 },
	],
});

const delayed = test.extend<object, { server: Auricle }>({
	server: [
		async ({}, use) => {
			const server = await Auricle.start({
				// long enough for pictures
				BENCH_FIXED_VALUES: JSON.stringify({ backoff_first_s: 30, job_timeout_min_s: 120 }),
			});
			await use(server);
			await server.stop();
		},
		{ scope: 'worker', timeout: 180_000 },
	],
});

test.describe.configure({ timeout: 300_000 });
test.skip(FOLDER === '', 'make screenshots');

/** Takes a picture of what the window shows, or of the whole page, once axe has found nothing. */
async function picture(page: Page, name: string, fullPage = false): Promise<void> {
	await page.evaluate(() => document.fonts.ready);
	const { violations } = await new AxeBuilder({ page }).analyze();
	expect(violations, name).toEqual([]);
	await page.screenshot({ path: `${FOLDER}/${name}.png`, fullPage, animations: 'disabled' });
}

/** Takes both pictures of a state. */
async function pictures(page: Page, name: string): Promise<void> {
	const change = async (scheme: 'light' | 'dark', size: typeof DESKTOP): Promise<void> => {
		await page.emulateMedia({ colorScheme: scheme });
		await page.setViewportSize(size);
		await page.locator('#language').evaluate(button => (button as HTMLButtonElement).click()); // also below a dialog
	};
	await picture(page, name);
	await change('dark', PHONE);
	await picture(page, `${name}-phone`);
	await change('light', DESKTOP);
}

/** Waits for some captions. */
async function linesOf(page: Page, count: number): Promise<void> {
	await expect
		.poll(() => page.locator('#lines .line').count(), { timeout: 60_000 })
		.toBeGreaterThanOrEqual(count);
}

/** Waits for an open utterance; a busy server sends none, and pictures do without. */
async function textOf(partial: Locator): Promise<void> {
	await partial
		.filter({ hasText: /(\w+ ){3}\w/ })
		.first()
		.waitFor({ timeout: 8000 })
		.catch(() => undefined);
}

/** Lets a page hear a story in the place of a microphone. */
async function hearStory(page: Page): Promise<void> {
	await page.addInitScript(() => {
		navigator.mediaDevices.getUserMedia = async () => {
			const context = new AudioContext();
			const recording = await (await fetch('_test/testdata/story.ogg')).arrayBuffer();
			const speaker = context.createBufferSource();
			speaker.buffer = await context.decodeAudioData(recording);
			const sink = context.createMediaStreamDestination();
			speaker.connect(sink);
			speaker.loop = true;
			speaker.start();
			return sink.stream;
		};
	});
	await page.reload();
}

test('Live', { tag: '@live' }, async ({ captions, gateway }) => {
	await hearStory(captions);
	await pictures(captions, 'live-start');
	await captions.getByRole('button', { name: 'Options' }).click();
	await pictures(captions, 'live-options');
	await captions.getByRole('button', { name: 'Options' }).click();
	await captions.getByLabel('Spoken language').selectOption('English');
	await captions.getByRole('button', { name: 'Start' }).click();
	await linesOf(captions, 4);
	await textOf(captions.locator('#partials .unstable'));
	await picture(captions, 'captions-light');
	const clip = { x: 0, y: 110, width: DESKTOP.width, height: 245 };
	await captions.screenshot({ path: `${FOLDER}/captions-short.png`, clip, animations: 'disabled' });
	await captions.emulateMedia({ colorScheme: 'dark' });
	await picture(captions, 'captions-dark');
	await captions.setViewportSize(PHONE);
	await picture(captions, 'captions-phone');
	await captions.setViewportSize(DESKTOP);
	await captions.emulateMedia({ colorScheme: 'light' });
	await captions.getByRole('button', { name: 'Full screen' }).click();
	await picture(captions, 'captions-beamer');
	await captions.keyboard.press('Escape');
	await captions.getByRole('button', { name: 'Share', exact: true }).click();
	await captions.getByRole('button', { name: 'Create a link' }).click();
	await expect(captions.getByRole('img', { name: 'QR code' })).toBeVisible();
	await captions.getByText('Captions over a video').click();
	await pictures(captions, 'live-share');
	await captions.getByRole('button', { name: 'Close' }).click();
	gateway.cut();
	await expect(captions.locator('#state')).toHaveText('Reconnecting');
	await pictures(captions, 'live-reconnecting');
});

delayed('Live while captions are late', { tag: '@live' }, async ({ captions, server }) => {
	await hearStory(captions);
	await captions.getByRole('button', { name: 'Start' }).click();
	await linesOf(captions, 1);
	await server.killWorker('SIGSTOP');
	await expect(captions.locator('#notice')).toContainText('Captions are late');
	await pictures(captions, 'live-late');
	await server.killWorker();
});

delayed('Live while the server starts', { tag: '@live' }, async ({ captions, server }) => {
	const state = async (): Promise<string> => (await server.worker()).state;
	await expect.poll(state, RECOVERY).toMatch(/ready|busy/); // after the test before
	const first = (await server.worker()).pid;
	await server.killWorker();
	await expect.poll(async () => (await server.worker()).pid ?? first, RECOVERY).not.toBe(first);
	await server.killWorker(); // a second death in a row: it waits before it starts again
	await hearStory(captions);
	await captions.getByRole('button', { name: 'Start' }).click();
	await expect(captions.locator('#state')).toHaveText('Starting');
	await pictures(captions, 'live-starting');
});

test.describe('without a key', () => {
	test.use({ key: null });

	test('Live asks for a key', async ({ captions }) => {
		await captions.getByRole('button', { name: 'Start' }).click();
		await expect(captions.getByLabel('Key for this server')).toBeVisible();
		await pictures(captions, 'live-key');
	});
});

test('Recordings', { tag: '@live' }, async ({ captions: page }) => {
	const sentences = page.locator('.transcript-text .sentence');
	await page.getByRole('link', { name: 'Recordings' }).click();
	await expect(page.getByRole('heading', { name: 'Transcribe a recording' })).toBeVisible();
	await pictures(page, 'recordings-empty');
	await drop(page, 'story.ogg');
	await expect(page.getByRole('progressbar').first()).toBeVisible();
	await picture(page, 'recordings-progress');
	await expect(page.getByRole('button', { name: 'Edit text' })).toBeVisible({ timeout: 120_000 });
	await sentences.nth(2).click();
	await page.getByRole('button', { name: 'Pause', exact: true }).click();
	await pictures(page, 'recordings-transcript');
	await page.emulateMedia({ colorScheme: 'dark' });
	await picture(page, 'recordings-transcript-dark');
	await page.emulateMedia({ colorScheme: 'light' });
	await page.getByRole('button', { name: 'Edit text' }).click();
	await pictures(page, 'recordings-edit');
	await page.getByRole('button', { name: 'Done', exact: true }).click();
	await page.getByLabel('Search all transcripts').fill('dog');
	await page.locator('.column-list .row').click();
	await picture(page, 'recordings-search');
	await page.getByLabel('Search all transcripts').fill('');
	await drop(page, 'notes.txt', Buffer.from('This is no sound.'.repeat(50)));
	await expect(page.getByRole('alert').filter({ hasText: 'Not transcribed' })).toBeVisible();
	await pictures(page, 'recordings-error');
	const line = (startSeconds: number, text: string, speaker: number): object => ({
		startSeconds,
		endSeconds: startSeconds + 2,
		text,
		language: 'en',
		speaker,
	});
	const lines = [
		line(0, 'The quarterly report is late.', 0),
		line(2.5, 'Who has the report?', 1),
		line(9, 'Ann, she sends it today.', 0),
	];
	await keep(page, {
		id: 'a',
		kind: 'recording',
		name: 'Monday.mp3',
		changedAt: Date.now(),
		lines,
		job: null,
	});
	await page.evaluate(() => location.assign('#recordings/a'));
	const speakers = page.locator('.speakers');
	await speakers.getByRole('button', { name: /^Speaker 2/ }).click();
	await expect(page.getByLabel('Name', { exact: true })).toBeVisible();
	await pictures(page, 'recordings-speaker');
});

test('Recordings that are changed', async ({ captions: page }) => {
	await waitLongToDelete(page);
	const line = (startSeconds: number, endSeconds: number, text: string, speaker: number): object => ({
		...{ startSeconds, endSeconds, text, language: 'en', speaker },
	});
	const lines = [
		line(0, 60, 'The quarterly report is late. Who has it? I have it, and send it today.', 0),
		line(60.2, 60.5, 'Mm.', 2),
		line(63, 120, 'Then we can start with the budget.', 1),
		line(125, 180, 'One page of the report is about the budget, too.', 0),
	];
	const record = { kind: 'recording', changedAt: Date.now(), lines, job: null };
	await keep(page, { ...record, id: 'a', name: 'Monday.mp3' }, { ...record, id: 'b', name: 'Tuesday.mp3' });
	await page.evaluate(() => location.assign('#recordings/a'));
	await page.getByText('1 brief speaker').click();
	await page.getByRole('button', { name: 'Change the paragraph at 0:00' }).click();
	await page.getByRole('button', { name: 'I', exact: true }).click();
	await page.getByRole('dialog').getByRole('combobox').selectOption('Speaker 2');
	await pictures(page, 'recordings-paragraph');
	await page.getByRole('button', { name: 'Save' }).click();
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await pictures(page, 'recordings-deleted');
});

test('Vocabularies', async ({ captions: page, server }) => {
	const { vocabularies } = new Client({ url: `http://127.0.0.1:${server.port}`, apiKey: API_KEY });
	const terms = ['Zyntrix', 'Digique Plus', 'Anna Łyszczyńska', 'Grüningen', '李雷', 'pembrolizumab'].map(
		term => ({ term, soundsLike: term === 'Zyntrix' ? ['sin tricks', 'zin tricks'] : [] }),
	);
	const replacements = [
		{ from: 'okay', to: 'OK' },
		{ from: 'um', to: '' },
	];
	await page.getByRole('link', { name: 'Words', exact: true }).click();
	await expect(page.getByLabel('Name')).toHaveValue('default');
	await pictures(page, 'words-empty');
	await vocabularies.store('clinic', { terms: ['pembrolizumab', 'metformin'] });
	await vocabularies.store('team', { terms, replacements, isDefault: true });
	await page.route('**/v1/vocabularies/team', async route => {
		const response = await route.fetch();
		const body = (await response.json()) as object;
		const now = Date.now() / 1000;
		const recent_terms = [
			{ term: 'Digique Plus', count: 1, last_at: now - 65 },
			{ term: 'Zyntrix', count: 7, last_at: now - 7200 },
		];
		await route.fulfill({ response, json: { ...body, recent_terms } });
	});
	await page.evaluate(() => location.assign('#vocabularies/team'));
	await expect(page.getByText('7 times')).toBeVisible();
	await pictures(page, 'words');
	await page.getByRole('button', { name: 'Zyntrix' }).click();
	await pictures(page, 'words-term');
	await page.keyboard.press('Escape');
	await page.evaluate(() => location.assign('#vocabularies/clinic'));
	await expect(page.getByRole('heading', { name: 'clinic' })).toBeVisible();
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await pictures(page, 'words-deleted');
	const lines = ['We met Anna Marie at the fair.', 'She works for sin tricks now.'].map((text, index) => ({
		...{ startSeconds: 4 * index, endSeconds: 4 * index + 3, text, language: 'en', speaker: 0 },
	}));
	await keep(page, { id: 'a', kind: 'recording', name: 'call.mp3', changedAt: Date.now(), lines, job: null });
	await page.evaluate(() => location.assign('#recordings/a'));
	await page.getByRole('button', { name: 'Edit text' }).click();
	await page.getByRole('textbox', { name: 'Text at 0:04' }).fill('She works for Zyntrix now.');
	await page.keyboard.press('Enter');
	await expect(page.getByRole('button', { name: 'Add “Zyntrix”' })).toBeVisible();
	await pictures(page, 'recordings-word');
	await vocabularies.delete('team');
});

test('Status', { tag: '@live' }, async ({ browser, crashing: server }) => {
	const page = await (await browser.newContext({ viewport: DESKTOP })).newPage();
	await page.goto(`http://127.0.0.1:${server.port}/status`);
	const ask = (key: string): Promise<Response> =>
		fetch(`http://127.0.0.1:${server.port}/v1/sessions`, { headers: { Authorization: `Bearer ${key}` } });
	await ask('wrong');
	await ask(API_KEY);
	await expect(page.locator('#state')).toHaveText('OK');
	await page.getByLabel('Operator’s key').fill(OPERATOR_KEY);
	await page.getByRole('button', { name: 'Show', exact: true }).click();
	await expect(page.locator('#clients tr')).toHaveCount(1);
	await page.waitForTimeout(15_000); // something to see
	await pictures(page, 'status');
	const first = (await server.worker()).pid;
	await server.killWorker('SIGSEGV');
	await expect(page.locator('#crashes li')).toHaveCount(1);
	await expect.poll(async () => (await server.worker()).pid ?? first, RECOVERY).not.toBe(first);
	await server.killWorker('SIGKILL'); // a second death in a row: it waits before it starts again
	await expect(page.locator('#state')).toHaveText('Degraded: not all workers and models are ready');
	await expect(page.locator('#crashes li').first()).toContainText('asr-1 was killed (SIGKILL)');
	await page.getByText('Stack at the crash').click();
	await picture(page, 'status-crash', true);
	await page.context().setOffline(true);
	await expect(page.locator('#state')).toContainText('Unreachable');
	await pictures(page, 'status-away');
	await page.context().close();
});

test('Reader', { tag: '@live' }, async ({ captions, browser, server }) => {
	await hearStory(captions);
	await captions.getByRole('button', { name: 'Start' }).click();
	await captions.getByRole('button', { name: 'Share', exact: true }).click();
	await captions.getByRole('button', { name: 'Create a link' }).click();
	const link = await captions.getByRole('textbox', { name: 'Link for readers' }).inputValue();
	const page = await (await browser.newContext({ viewport: { width: 1200, height: 340 } })).newPage();
	const address = `http://127.0.0.1:${server.port}/reader${new URL(link).hash}`;
	const show = async (name: string, options: string): Promise<void> => {
		await page.goto('about:blank'); // a new fragment alone loads nothing
		await page.goto(`${address}${options}`);
		await expect(page.locator('#finals p')).not.toHaveCount(0);
		await textOf(page.locator('#open'));
		await picture(page, name);
	};
	await linesOf(captions, 3);
	await show('reader', '');
	await show('reader-layer', '&lines=2&size=5&background=green');
	await page.goto('about:blank');
	await page.goto(`${address}x`);
	await expect(page.locator('#state')).toContainText('expired');
	await picture(page, 'reader-expired');
	await page.context().close();
});
