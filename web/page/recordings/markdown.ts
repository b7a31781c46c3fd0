/** Writes a transcript as Markdown. Pure. */

import { paragraphsOf } from '../paragraphs.js';
import { clock, isGap, speakerOf, type TranscriptLine, type TranscriptWords } from '../transcript.js';

/** Returns paragraphs, each with its time and speaker. */
export function markdown(
	title: string,
	note: string,
	lines: readonly TranscriptLine[],
	words: TranscriptWords,
): string {
	const paragraphs = paragraphsOf(lines).flatMap(paragraph => {
		const [first] = paragraph;
		if (first === undefined) {
			return [];
		}
		if (isGap(first)) {
			return [`*${escaped(words.text(first))}*`];
		}
		const speaker = speakerOf(first, words);
		const name = speaker === null ? '' : ` **${escaped(speaker)}:**`;
		const text = paragraph.map(line => (isGap(line) ? '' : escaped(line.text.trim()))).join(' ');
		return [`\`${clock(first.startSeconds)}\`${name} ${text}`];
	});
	return [`# ${escaped(title)}`, escaped(note), ...paragraphs].map(paragraph => `${paragraph}\n`).join('\n');
}

/** CommonMark reads these characters as markup wherever they stand. */
function escaped(text: string): string {
	return text.replace(/[\\`*_[\]<>#~|]/g, '\\$&');
}
