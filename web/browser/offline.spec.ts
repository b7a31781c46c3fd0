/** Without the network, the page still does all that needs no server. */

import { test } from './captions-page.js';
import { expect, isChromium } from './fixtures.js';

test('works after its load while the server is away', async ({ captions: page }) => {
	test.skip(!isChromium(page), 'Firefox loads the worker at the start, not before');
	await page.waitForLoadState('networkidle'); // it has loaded what its places need
	await page.context().setOffline(true);
	await page.getByRole('link', { name: 'Recordings' }).click();
	await expect(page.locator('#recordings h1, #recordings h2').first()).toBeVisible();
	await page.locator('#language').click();
	await expect(page.locator('html')).toHaveAttribute('lang', 'zh');
	await page.locator('#language').click();
	await page.getByRole('link', { name: 'Live' }).click();
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#notice')).toContainText('Check the network, then press Start.');
	await page.context().setOffline(false);
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#state')).toHaveText('Listening');
	await page.getByRole('button', { name: 'Stop' }).click();
	await expect(page.locator('#state')).toHaveText('Not listening');
});
