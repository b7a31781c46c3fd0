import { strFromU8, unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { docx } from '../../page/recordings/docx.js';

const FILE = docx({
	title: 'Talk <1> & "more"\u0000',
	note: '27 Nov · 3:07',
	language: 'en',
	paragraphs: [
		{ time: '0:07', speaker: 'Ann', text: 'Good morning.', isGap: false },
		{ time: '0:09', speaker: null, text: '[1.0 s missing]', isGap: true },
	],
});

it('writes a Word document of five parts, the types first', () => {
	const parts = unzipSync(FILE);
	expect(Object.keys(parts)).toEqual([
		'[Content_Types].xml',
		'_rels/.rels',
		'word/_rels/document.xml.rels',
		'word/styles.xml',
		'word/document.xml',
	]);
	for (const part of Object.values(parts)) {
		const xml = strFromU8(part);
		const opened = [...xml.matchAll(/<([\w:]+)(?: [^<>]*[^/<>])?>/g)].map(([, name]) => name);
		const closed = [...xml.matchAll(/<\/([\w:]+)>/g)].map(([, name]) => name);
		expect(opened.toSorted()).toEqual(closed.toSorted());
	}
});

it('contains the text with its times and speakers, escaped', () => {
	const xml = strFromU8(unzipSync(FILE)['word/document.xml'] ?? new Uint8Array());
	const texts = [...xml.matchAll(/<w:t [^>]*>([^<]*)<\/w:t>/g)].map(([, text]) => text);
	expect(texts.filter(text => text !== '')).toEqual([
		'Talk &lt;1&gt; &amp; &quot;more&quot;',
		'27 Nov · 3:07',
		'0:07',
		'Ann: ',
		'Good morning.',
		'0:09',
		'[1.0 s missing]',
	]);
});
