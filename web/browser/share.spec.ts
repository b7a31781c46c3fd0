/** Sharing a live session from the page: nothing before the click, then a link and a layer that others read. */

import { words } from './clip.js';
import { expectNobodyShutOut, test } from './captions-page.js';
import { expect } from './fixtures.js';

test(
	'shares a live session by the click of its owner only',
	{ tag: '@live' },
	async ({ captions, browser, server }) => {
		const tokens: string[] = [];
		captions.on('request', request => {
			if (request.url().includes('/token')) tokens.push(request.url());
		});
		const share = captions.getByRole('button', { name: 'Share', exact: true });
		await expect(share).toBeHidden();
		await captions.getByRole('button', { name: 'Start' }).click();
		await share.click();
		const dialog = captions.getByRole('dialog', { name: 'Share these captions' });
		await expect(dialog.getByRole('img')).toBeHidden();
		expect(tokens).toEqual([]);
		await dialog.getByLabel('The link works for').selectOption('1 hour');
		await dialog.getByRole('button', { name: 'Create a link' }).click();
		await expect(dialog.getByRole('img', { name: 'QR code' })).toBeVisible();
		expect(tokens).toHaveLength(1);
		await expect(dialog).toContainText('Other devices can’t open this link');
		await dialog.getByText('Captions over a video').click();
		await dialog.getByLabel('Background').selectOption('Green key');
		await dialog.getByLabel('Rows').fill('1');
		await expectNobodyShutOut(captions);

		const readers = await browser.newContext(); // other devices
		const reader = await readers.newPage();
		const field = dialog.getByRole('textbox', { name: 'Link for readers' });
		const link = await field.inputValue();
		await reader.goto(atServer(link));
		const layer = await readers.newPage();
		await layer.goto(
			atServer(await dialog.getByRole('textbox', { name: 'Address of the layer' }).inputValue()),
		);
		const former = await readers.newPage();
		await dialog.getByRole('button', { name: 'Create another link' }).click();
		await expect(field).not.toHaveValue(link);
		await former.goto(atServer(await field.inputValue()));
		await expect(former.locator('#state')).toBeEmpty(); // it reads
		await dialog.getByRole('button', { name: 'Withdraw this link' }).click();
		await expect(dialog).toContainText('The link was withdrawn');
		await expect(dialog.getByRole('img')).toBeHidden();
		await expect(former.locator('#state')).toContainText('was withdrawn');
		await dialog.getByRole('button', { name: 'Close' }).click();
		await expect(captions.locator('#lines .line')).not.toHaveCount(0);
		await captions.getByRole('button', { name: 'Stop' }).click();
		await expect(reader.locator('#state')).toHaveText('The session has ended.');
		const spoken = await captions.locator('#lines .words').allTextContents();
		expect(words((await reader.locator('#finals').textContent()) ?? '')).toEqual(words(spoken.join(' ')));
		await expect(layer.locator('body')).toHaveCSS('background-color', 'rgb(0, 177, 64)');
		await expect(share).toBeHidden();
		await readers.close();

		/** The page is behind a gateway, which does not pass events on. */
		function atServer(url: string): string {
			const { pathname, hash } = new URL(url);
			return `http://127.0.0.1:${server.port}/${pathname.split('/').at(-1) ?? ''}${hash}`;
		}
	},
);
