import { expect, test } from 'vitest';
import { readerOptions } from '../../page/reader-options.js';
import { isLocalOnly, layerUrl, shareLink } from '../../page/share/share-link.js';

const EXPIRES_AT = new Date(1_800_000_000_000);

test('puts session and token into the fragment, which no server sees', () => {
	const { url } = shareLink('https://captions.example/team/', '5e1a', 'tok2.1.5e1a.3q2-_', EXPIRES_AT);
	const { pathname, search, hash } = new URL(url);
	expect([pathname, search]).toEqual(['/team/reader', '']);
	expect(readerOptions(hash)).toMatchObject({ session: '5e1a', token: 'tok2.1.5e1a.3q2-_' });
});

test('adds the style of a layer', () => {
	const link = shareLink('https://captions.example/', '5e1a', 'tok', EXPIRES_AT);
	const style = { background: 'transparent', lines: 2, sizePercent: 5.5 };
	expect(readerOptions(new URL(layerUrl(link, style)).hash)).toEqual({
		...style,
		session: '5e1a',
		token: 'tok',
	});
});

test('knows addresses that only this computer can open', () => {
	const hosts = ['localhost:6007', '127.0.0.1:6007', '[::1]:6007', 'captions.example', '192.168.1.7:6007'];
	expect(hosts.map(host => isLocalOnly(`http://${host}/`))).toEqual([true, true, true, false, false]);
});
