/** The documentation that the server shows at /docs, in a browser that enforces its policy. */

import { existsSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { API_KEY } from './auricle.js';
import { ROOT } from './clip.js';
import { expect, test } from './fixtures.js';

const ARCHIVE = `${ROOT}/src/auricle/apis/pages/documentation.zip`;
test.skip(!existsSync(ARCHIVE) && !process.env['CI'], 'needs `make docs`');

let problems: string[];
test.beforeEach(({ page, server }) => {
	problems = [];
	page.on('pageerror', error => problems.push(error.message));
	page.on('console', message => {
		if (message.type() === 'error') {
			problems.push(message.text()); // such as what the policy forbids
		}
	});
	page.on('request', request => {
		if (!request.url().match(`^(http://127.0.0.1:${server.port}/|data:)`)) {
			problems.push(request.url());
		}
	});
});
test.afterEach(() => {
	expect(problems).toEqual([]);
});

test('a page is found by its words, and nothing is loaded from elsewhere', async ({ page, server }) => {
	await page.goto(`http://127.0.0.1:${server.port}/docs/`);
	await expect(page.getByRole('heading', { name: 'Documentation' })).toBeVisible();
	await page.getByRole('button', { name: 'Search' }).first().click();
	await page.keyboard.type('hsts max-age');
	const found = page.getByRole('option').filter({ has: page.getByRole('heading', { name: 'TLS' }) });
	await found.click();
	await expect(page).toHaveURL(/\/docs\/how-to\/access\.html/);
	// The theme makes each button that copies code a landmark.
	const { violations } = await new AxeBuilder({ page }).disableRules('landmark-unique').analyze();
	expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([]);
});

/** What newcomers type, and the pages of which one must be among the first three results. */
const QUESTIONS: readonly (readonly [string, RegExp])[] = [
	['obs overlay', /how-to\/readers/],
	['microphone not working', /troubleshooting/],
	['diarization', /how-to\/speakers/],
	['port in use', /troubleshooting/],
	['docker', /deploy\/docker/],
	['who is talking', /how-to\/speakers/],
	['subtitles for a video', /tutorial/],
	['nvidia gpu', /how-to\/gpu/],
	['does it support chinese', /how-to\/models/],
	['jitsi transcription', /clients\/jitsi/],
	['https certificate', /how-to\/(access|browser)/],
	['create api key', /how-to\/access/],
	['captions too slow', /troubleshooting|how-to\/browser/],
	['use it on my phone', /how-to\/browser|tutorial/],
	['python example', /clients\/auricle-python/],
	['replace openai whisper', /clients\/moving-off-whisper-1/],
	['out of memory', /how-to\/operations|troubleshooting/],
	['which model is best', /how-to\/models/],
	['home assistant voice', /clients\/home-assistant/],
	['wrong language', /troubleshooting/],
];

test('the words of a newcomer find the right page', async ({ page, server }) => {
	await page.goto(`http://127.0.0.1:${server.port}/docs/`);
	await page.getByRole('button', { name: 'Search' }).first().click();
	const found = page.getByRole('option');
	const missed: string[] = [];
	for (const [question, right] of QUESTIONS) {
		await page.getByRole('combobox').fill('');
		await expect(found).toHaveCount(0);
		await page.getByRole('combobox').fill(question);
		await found
			.first()
			.waitFor({ timeout: 60_000 })
			.catch(() => undefined);
		const links = await found.evaluateAll(all => all.map(each => each.getAttribute('href') ?? ''));
		const first = links.slice(0, 3);
		if (!first.some(link => right.test(link))) {
			missed.push(`${question}: ${first.join(', ')}`);
		}
	}
	expect(missed).toEqual([]);
});

test('the reference of the HTTP API sends requests to the server', async ({ page, server }) => {
	await page.goto(`http://127.0.0.1:${server.port}/docs/reference/openapi.html`);
	await page.getByRole('button', { name: 'Authorize' }).first().click();
	await page.locator('.auth-container input').fill(API_KEY);
	await page.locator('.auth-btn-wrapper .authorize').click();
	await page.locator('.auth-btn-wrapper .btn-done').click();
	await page.locator('.opblock-summary', { hasText: 'List models' }).click();
	await page.getByRole('button', { name: 'Try it out' }).click();
	await page.getByRole('button', { name: 'Execute' }).click();
	const answer = page.locator('.live-responses-table .response').first();
	await expect(answer).toContainText('200');
	await expect(answer).toContainText('"object": "list"');
});
