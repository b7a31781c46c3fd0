/** One line of captions: its time and its text. */

import { clock } from './transcript.js';

/** Returns a line with these words, given as elements or text. */
export function captionLine(
	startSeconds: number,
	language: string | null,
	...words: (Node | string)[]
): HTMLElement {
	const line = document.createElement('p');
	line.className = 'line';
	const time = document.createElement('time');
	time.textContent = clock(startSeconds);
	const text = document.createElement('span');
	text.className = 'words';
	if (language !== null) {
		text.lang = language;
	}
	text.append(...words);
	line.append(time, ' ', text);
	return line;
}

/** Returns words with the style `stable` (final or stable), `unstable` (unstable) or `lost`. */
export function styledText(look: 'stable' | 'unstable' | 'lost', text: string): HTMLElement {
	const words = document.createElement('span');
	words.className = look;
	words.textContent = text;
	return words;
}
