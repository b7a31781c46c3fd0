/** A browser that has no microphone, or may not use it. No server is needed for that. */

import { expect, test } from '@playwright/test';
import { Gateway } from './gateway.js';

test.use({
	launchOptions: {
		executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream'],
	},
});

let gateway: Gateway;

test.beforeEach(async ({ page }) => {
	gateway = await Gateway.open(0);
	await page.goto(gateway.url);
	await page.waitForFunction(() => 'auricle' in globalThis);
});

test.afterEach(() => gateway.close());

test('a microphone that is denied is told as what it is', async ({ page }) => {
	const opening = page.evaluate(() => globalThis.auricle.openMicrophone());
	await expect(opening).rejects.toThrow('The microphone is not allowed to this page');
});

test('a microphone that is not there is told as what it is', async ({ page, context }) => {
	await context.grantPermissions(['microphone']);
	const opening = page.evaluate(() => globalThis.auricle.openMicrophone({ deviceId: 'none' }));
	await expect(opening).rejects.toThrow('The chosen microphone is not there.');
});
