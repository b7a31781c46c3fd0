/** A browser that has no microphone, or may not use it. No server is needed for that. */

import { expect, type Page, test } from '@playwright/test';
import { Gateway } from './gateway.js';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu'];

test.use({ launchOptions: { executablePath, args: [...ARGS, '--use-fake-device-for-media-stream'] } });

let gateway: Gateway;

test.beforeEach(async () => {
	gateway = await Gateway.open(0);
});

test.afterEach(() => gateway.close());

async function openMicrophone(page: Page, deviceId?: string): Promise<void> {
	await page.goto(gateway.libraryPage);
	await page.waitForFunction(() => 'auricle' in globalThis);
	await page.evaluate(async deviceId => {
		await globalThis.auricle.openMicrophone(deviceId === undefined ? {} : { deviceId });
	}, deviceId);
}

test('reports a denied microphone', async ({ page }) => {
	await expect(openMicrophone(page)).rejects.toThrow('This page may not use the microphone');
});

test('reports a selected microphone that is missing', async ({ page, context }) => {
	await context.grantPermissions(['microphone']);
	await expect(openMicrophone(page, 'none')).rejects.toThrow('The selected microphone was not found.');
});

test('reports a machine without a microphone', async ({ playwright }) => {
	const args = [...ARGS, '--disable-audio-input'];
	const browser = await playwright.chromium.launch({ executablePath, args });
	const page = await browser.newPage({ permissions: ['microphone'] });
	await expect(openMicrophone(page)).rejects.toThrow('No microphone found.');
	await browser.close();
});

test('reports withdrawn permission', async ({ page, context }) => {
	await context.grantPermissions(['microphone']);
	await page.goto(gateway.libraryPage);
	await page.waitForFunction(() => 'auricle' in globalThis);
	const told = await page.evaluateHandle(async () => {
		const client = new globalThis.auricle.LiveClient({ rules: { firstPatienceSeconds: 60 } });
		const told: string[] = [];
		client.on('source_lost', ({ cause }) => told.push(cause));
		await client.useMicrophone();
		return told;
	});
	const devtools = await context.newCDPSession(page);
	const { browserContextId } = (await devtools.send('Target.getTargetInfo')).targetInfo;
	await devtools.send('Browser.setPermission', {
		origin: new URL(gateway.url).origin,
		permission: { name: 'microphone' },
		setting: 'denied',
		...(browserContextId === undefined ? {} : { browserContextId }),
	});
	await expect.poll(() => told.jsonValue()).toEqual(['permission']);
});
