/** From a hit of the search to the words: marked, in view, with Find filled in and the player there. */

import type { Page } from '@playwright/test';
import { expectNobodyShutOut, keep, test } from './captions-page.js';
import { TESTDATA } from './clip.js';
import { expect, isChromium } from './fixtures.js';

const LINES = 40;
const HIT = 24;
/** A long transcript; the word is in one line in the middle, and in one at the end. */
const LONG = {
	id: 'a',
	kind: 'recording',
	name: 'long.mp3',
	changedAt: Date.now(),
	lines: Array.from({ length: LINES }, (_, index) => ({
		startSeconds: index / 8,
		endSeconds: index / 8 + 0.1,
		text:
			index === HIT || index === LINES - 1
				? 'Here the report is named.'
				: `Sentence ${index} of this talk. `.repeat(4),
		language: 'en',
		speaker: index % 2,
	})),
	job: null,
};

/** Returns the marked match, and whether it is in view, below what stays at the top. */
const marked = (page: Page): Promise<unknown> =>
	page.evaluate(() => {
		const [range] = [...(CSS.highlights.get('found-now') ?? [])] as Range[];
		const { top = -1, bottom = -1 } = range?.getBoundingClientRect() ?? {};
		const field = document.querySelector('.finder .field')?.getBoundingClientRect();
		return {
			text: range?.toString(),
			isInView: top >= (field?.bottom ?? 0) && bottom <= innerHeight,
			hasFinder: field !== undefined && field.top >= 0 && field.bottom <= innerHeight,
		};
	});
const FOUND = { text: 'report', isInView: true, hasFinder: true };

for (const [device, viewport] of [
	['desktop', { width: 1200, height: 750 }],
	['phone', { width: 320, height: 568 }],
] as const) {
	test(`a hit opens the recording there on a ${device}`, async ({ captions: page }) => {
		test.skip(!isChromium(page), 'the CSS Custom Highlight API is younger than the tested Firefox');
		await page.setViewportSize(viewport);
		await keep(page, LONG);
		await page.evaluate(() => void (location.hash = '#recordings'));
		await page.getByLabel('Search all transcripts').fill('report');
		await expect(page.locator('.column-list .row')).toContainText('2 matches');
		await expectNobodyShutOut(page);
		await page.locator('.column-list .row').click();
		const find = page.getByLabel('Find in this transcript');
		await expect(find).toHaveValue('report');
		await expect(page.locator('.finder .note')).toHaveText('1 of 2');
		await expect.poll(() => marked(page)).toEqual(FOUND);

		await page
			.getByLabel('Choose the file', { exact: true })
			.setInputFiles(new URL('story.ogg', TESTDATA).pathname);
		await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
		await expect.poll(() => marked(page)).toEqual(FOUND);
		const seconds = await page.locator('audio').evaluate(audio => (audio as HTMLAudioElement).currentTime);
		expect(seconds).toBeGreaterThanOrEqual(HIT / 8);
		expect(seconds).toBeLessThan(HIT / 8 + 0.1);

		await page.mouse.wheel(0, 100_000);
		await expect.poll(() => marked(page)).toMatchObject({ isInView: false, hasFinder: true });
		await find.press('Enter');
		await expect(page.locator('.finder .note')).toHaveText('2 of 2');
		await expect.poll(() => marked(page)).toEqual(FOUND);
		if (device === 'desktop') {
			await page.locator('.column-list .row').click(); // the recording that is shown
			await expect(page.locator('.finder .note')).toHaveText('1 of 2');
			await expect.poll(() => marked(page)).toEqual(FOUND);
		}
	});
}
