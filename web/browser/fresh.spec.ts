/** The page of a server that a newcomer has just started; `make test-fresh` says where it is. */

import { expect, test } from '@playwright/test';
import { SENTENCE, words } from './clip.js';

const { AURICLE_FRESH_URL: url = '', AURICLE_FRESH_PICTURE: path = '' } = process.env;

test('shows captions of what a newcomer says', { tag: '@live' }, async ({ page }) => {
	test.skip(url === '', 'make test-fresh');
	await page.goto(url);
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#lines')).toContainText(/your country\.$/);
	const lines = await page.locator('#lines .words').allTextContents();
	expect(words(lines.join(' '))).toEqual(words(SENTENCE.text));
	await page.screenshot({ path });
});
