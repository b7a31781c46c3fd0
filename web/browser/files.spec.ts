/** Files in work: their options, their progress, and what happens to those that fail. */

import type { Locator, Page } from '@playwright/test';
import { API_KEY } from './auricle.js';
import { drop, expectNobodyShutOut, keep, test } from './captions-page.js';
import { TESTDATA } from './clip.js';
import { expect } from './fixtures.js';

const SHORT = new URL('short.wav', TESTDATA).pathname;
const group = (page: Page, name: string): Locator =>
	page.locator('.row-group', { has: page.getByRole('heading', { name, exact: true }) });
const sentences = (page: Page): Locator => page.locator('.transcript-text .sentence');

/** Answers for a job in the place of the server. */
async function answerJobs(page: Page, fields: () => object): Promise<void> {
	await page.route('**/jobs/*', route =>
		route.request().method() === 'GET'
			? route.fulfill({ json: { job_id: 'a', text: '', result: null, error: null, ...fields() } })
			: route.continue(),
	);
}

test('lists a failed file apart, and transcribes it again without choosing it', async ({
	captions: page,
}) => {
	await answerJobs(page, () => ({
		state: 'failed',
		progress: 0.5,
		error: { code: 'internal', message: 'The server failed.' },
	}));
	await drop(page, 'short.wav');
	const failed = group(page, 'Failed').locator('.row');
	await expect(failed).toHaveText(/short\.wav/);
	await expect(group(page, 'In progress')).toBeHidden();
	await expectNobodyShutOut(page);

	await page.reload(); // the browser has kept the file
	await expect(failed).toHaveCount(1);
	await page.unroute('**/jobs/*');
	await group(page, 'Failed').getByRole('button', { name: 'Retry short.wav' }).click();
	await expect(sentences(page)).toHaveText(['The train leaves at noon.']);
	await expect(group(page, 'Failed')).toBeHidden();
	await expect(group(page, 'In this browser').locator('.row')).toHaveCount(1);
});

test('asks for a failed file that neither the server nor the browser has', async ({ captions: page }) => {
	const record = {
		id: 'a',
		kind: 'recording',
		name: 'old.wav',
		changedAt: Date.now(),
		lines: [],
		job: 'gone',
	};
	await keep(page, record);
	await page.evaluate(() => void (location.hash = '#recordings/a'));
	await expect(group(page, 'Failed').locator('.row')).toHaveText(/old\.wav/);
	await expect(group(page, 'Failed').getByRole('button')).toHaveCount(0);
	await expect(page.getByText('Neither the server nor this browser has the file any more.')).toBeVisible();
	await expectNobodyShutOut(page);
	await page.getByLabel('Choose the file', { exact: true }).setInputFiles(SHORT);
	await expect(sentences(page)).toHaveText(['The train leaves at noon.']);
});

test('continues to wait for a job that the server still has', async ({ captions: page, gateway }) => {
	const headers = { Authorization: `Bearer ${API_KEY}` };
	await answerJobs(page, () => ({ state: 'running', progress: 0.5 }));
	const accepted = page.waitForResponse(answer => answer.status() === 202);
	await drop(page, 'short.wav');
	const { job_id: job } = (await (await accepted).json()) as { job_id: string };
	await page.route('**/jobs/*', route =>
		route.fulfill({ status: 403, json: { error: { code: 'forbidden' } } }),
	);
	const retry = group(page, 'Failed').getByRole('button', { name: 'Retry short.wav' });
	await expect(retry).toBeVisible();
	await page.unroute('**/jobs/*');
	const uploads: string[] = [];
	page.on('request', request => {
		if (request.url().includes('/utterance')) uploads.push(request.url());
	});
	await retry.click();
	await expect(sentences(page)).toHaveText(['The train leaves at noon.']);
	expect(uploads).toEqual([]);
	await expect.poll(async () => (await fetch(`${gateway.url}jobs/${job}`, { headers })).status).toBe(404);
});

test('says in words when a file takes longer than it has said', async ({ captions: page }) => {
	let progress = 0;
	await page.clock.install();
	await answerJobs(page, () => ({ state: 'running', progress }));
	await drop(page, 'short.wav');
	const state = page.locator('.work-state');
	/** Lets time pass, in steps of the page's polling. */
	const pass = async (seconds: number, share: number): Promise<void> => {
		for (let second = 0; second < seconds; second++) {
			progress += share;
			const answer = page.waitForResponse('**/jobs/*');
			await page.clock.runFor(1000);
			await answer;
		}
	};
	await pass(10, 0.05);
	await expect(state).toHaveText(/^Transcribing, \d\d% · about \d+ seconds left$/);
	const bar = page.getByRole('progressbar', { name: 'Progress of short.wav' });
	expect(Number(await bar.getAttribute('value'))).toBeGreaterThan(0.3);
	await pass(30, 0);
	await expect(state).toHaveText(/ left, slower than usual$/);
	await pass(5, 0.07);
	await expect(state).toHaveText(/ seconds left$/);
	await page.getByRole('button', { name: 'Cancel short.wav' }).click();
});

test('sends the chosen options with a file', async ({ captions: page }) => {
	await page.getByRole('link', { name: 'Recordings' }).click();
	const place = page.locator('#recordings');
	await expect(place.getByLabel('Number of speakers')).toBeHidden();
	await place.getByLabel('Show who speaks').check();
	await place.getByLabel('Number of speakers').selectOption('3');
	await place.getByLabel('Translate into English').check();
	await expectNobodyShutOut(page);
	await page.reload();
	await expect(place.getByLabel('Number of speakers')).toHaveValue('3');
	const sent = page.waitForRequest(request => request.url().includes('/utterance'));
	await drop(page, 'short.wav');
	const query = new URL((await sent).url()).searchParams;
	expect(Object.fromEntries(query)).toMatchObject({
		file_name: 'short.wav',
		speakers: 'true',
		num_speakers: '3',
		task: 'translate',
	});
	await expect(sentences(page)).not.toHaveCount(0);
});
