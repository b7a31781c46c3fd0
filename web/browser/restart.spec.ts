/** The server dies while others read along: their pages and layers go on, or say that they can't. */

import { rmSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { API_KEY, Auricle, stateFolder } from './auricle.js';
import { words } from './clip.js';
import { expect, test } from './fixtures.js';

/** Starts captions, and shares them; returns the link. */
async function share(page: Page, server: Auricle): Promise<string> {
	await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
	await page.goto(`http://127.0.0.1:${server.port}/`);
	await page.getByRole('button', { name: 'Start' }).click();
	await page.getByRole('button', { name: 'Share', exact: true }).click();
	const dialog = page.getByRole('dialog', { name: 'Share these captions' });
	await dialog.getByRole('button', { name: 'Create a link' }).click();
	const link = await dialog.getByRole('textbox', { name: 'Link for readers' }).inputValue();
	await dialog.getByRole('button', { name: 'Close' }).click();
	return link;
}

test(
	'readers keep their link and get every word over a death of the server',
	{ tag: '@live' },
	async ({ page, context }) => {
		const server = await Auricle.start();
		const link = await share(page, server);
		const reader = await context.newPage();
		await reader.goto(`${link}&lines=20`);
		const layer = await context.newPage();
		await layer.goto(`${link}&background=transparent`);
		for (const each of [reader, layer]) {
			await expect(each.locator('#finals, #open').filter({ hasText: /./ })).not.toHaveCount(0);
		}
		await server.kill();
		await expect(reader.locator('#state')).toContainText('The connection is lost');
		await expect(layer.locator('main')).toBeHidden(); // a half sentence does not stay
		await expect(reader.locator('#open')).toHaveText('');
		await server.restart();
		await Promise.all([
			expect(page.locator('#lines .line')).not.toHaveCount(0),
			expect(layer.locator('main')).toBeVisible(), // for 8 s only, while the speaker is away
		]);
		await expect(page.locator('#links-void')).toBeHidden();
		await page.getByRole('button', { name: 'Stop' }).click();
		await expect(reader.locator('#state')).toHaveText('The session has ended.');
		const spoken = await page.locator('#lines .words').allTextContents();
		expect(words((await reader.locator('#finals').textContent()) ?? '')).toEqual(words(spoken.join(' ')));
		await server.stop();
	},
);

test(
	'the speaker and the readers learn that the server has lost the session',
	{ tag: '@live' },
	async ({ page, context }) => {
		const state = stateFolder();
		const server = await Auricle.start({ AURICLE_STATE_DIR: state });
		const link = await share(page, server);
		const reader = await context.newPage();
		await reader.goto(link);
		await expect(reader.locator('#state')).toBeEmpty(); // it reads
		await server.kill();
		rmSync(state, { recursive: true });
		await server.restart();
		const notice = page.locator('#links-void');
		await expect(notice).toBeVisible();
		await expect(notice).toHaveAttribute('data-kind', 'error');
		await expect(notice).toContainText('Share again');
		await expect(reader.locator('#state')).toContainText('the server has lost it');
		await page.getByRole('button', { name: 'Share', exact: true }).click();
		await page.getByRole('button', { name: 'Create another link' }).click();
		await expect(notice).toBeHidden();
		await server.stop();
	},
);
