/** The page for readers, while somebody speaks in another page. */

import { AxeBuilder } from '@axe-core/playwright';
import { API_KEY } from './auricle.js';
import { SENTENCE, words } from './clip.js';
import { errorsOf, expect, listen, test } from './fixtures.js';

test(
	'readers see what is said as it is said, and that it has ended',
	{ tag: '@live' },
	async ({ client, context, server }) => {
		const base = `http://127.0.0.1:${server.port}`;
		const headers = { Authorization: `Bearer ${API_KEY}` };
		const before = new Set(await sessions());
		const listening = listen(client);
		await expect.poll(async () => (await sessions()).filter(id => !before.has(id)).length).toBe(1);
		const session = (await sessions()).find(id => !before.has(id));
		const answer = await fetch(`${base}/v1/sessions/${session}/token`, { method: 'POST', headers });
		const { token } = (await answer.json()) as { token: string };

		const reader = await context.newPage();
		const problems = errorsOf(reader);
		await reader.goto(`${base}/reader#session=${session}&token=${token}&lines=2`);
		await expect(reader.locator('#finals, #open').filter({ hasText: /./ })).not.toHaveCount(0);
		const layer = await context.newPage();
		await layer.setViewportSize({ width: 1280, height: 360 });
		await layer.goto(`${base}/reader#session=${session}&token=${token}&lines=1&size=6&background=green`);
		const late = await context.newPage();
		await late.goto(`${base}/reader#session=${session}&token=${token}x`);
		await expect(late.locator('#state')).toContainText('expired');

		const { text } = await listening;
		await expect(reader.locator('#state')).toHaveText('The session has ended.');
		expect(words(text)).toEqual(words(SENTENCE.text));
		expect(words((await reader.locator('#finals').textContent()) ?? '')).toEqual(words(SENTENCE.text));
		await expect(reader.locator('#open')).toHaveText('');
		await expect(layer.locator('body')).toHaveCSS('background-color', 'rgb(0, 177, 64)');
		await expect(layer.locator('body')).toHaveCSS('font-size', '76.8px'); // 6 % of 1280
		await expect(layer.locator('#state')).toHaveText(''); // nothing but captions is in the picture
		expect((await layer.locator('main').boundingBox())?.height).toBeLessThanOrEqual(100); // one row
		await layer.goto(`${base}/reader#background=transparent`);
		await expect(layer.locator('body')).toHaveCSS('background-color', 'rgba(0, 0, 0, 0)');
		for (const page of [reader, layer]) {
			const { violations } = await new AxeBuilder({ page }).analyze();
			expect(violations).toEqual([]);
		}
		await reader.goto(`${base}/reader`);
		await expect(reader.locator('#state')).toContainText('#session=ID');
		expect(problems).toEqual([]);

		async function sessions(): Promise<string[]> {
			const answer = await fetch(`${base}/v1/sessions`, { headers });
			const body = (await answer.json()) as { sessions: { id: string }[] };
			return body.sessions.map(({ id }) => id);
		}
	},
);
