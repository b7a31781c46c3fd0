/** Words of a line with their times, and their times after the text was edited. Pure. */

import type { Line, Word } from '../transcript.js';

/** Longer lines than of this many words are not compared word by word: the cost grows with its square. */
const MAX_COMPARED_WORDS = 1000;
/** Letters and digits of any script; a mark belongs to the letter before it. */
const NO_LETTER = /[^\p{L}\p{N}\p{M}]+/gu;
const SPACELESS_SCRIPTS = ['Han', 'Hiragana', 'Katakana', 'Thai', 'Lao', 'Khmer', 'Myanmar'];
const SPACELESS = SPACELESS_SCRIPTS.map(script => `\\p{Script=${script}}`).join('');
/** A character of a script without spaces with its marks, or another word; with the space before it. */
const TOKEN = new RegExp(`\\s*(?:[${SPACELESS}]\\p{M}*|[^\\s${SPACELESS}]+)`, 'gu');

/**
 * Returns the words of a line, each with the space before it; together they are the line's text.
 *
 * Without word times from the model, the line's time is distributed by the lengths of the words.
 */
export function timedWords(line: Line): readonly Word[] {
	const { words } = line;
	return words !== undefined && joined(words) === line.text ? words : spread(tokens(line.text), line);
}

/**
 * Returns a line with another text. Words that are the same keep their times; others share the time between these.
 *
 * @param line - The line.
 * @param text - The new text, without spaces around it.
 */
export function withText(line: Line, text: string): Line {
	const before = timedWords(line).flatMap(word => spread(tokens(word.text), word));
	const after = tokens(text);
	const kept = pairs(
		before.map(word => plain(word.text)),
		after.map(plain),
	);
	const words: Word[] = [];
	for (let index = 0; index < after.length;) {
		const same = kept.get(index);
		const old = same === undefined ? undefined : before[same];
		if (old !== undefined) {
			words.push({ ...old, text: after[index] ?? '' });
			index++;
			continue;
		}
		let end = index;
		while (end < after.length && !kept.has(end)) {
			end++;
		}
		const next = kept.get(end);
		const startSeconds = words.at(-1)?.endSeconds ?? line.startSeconds;
		const endSeconds = next === undefined ? line.endSeconds : (before[next]?.startSeconds ?? line.endSeconds);
		words.push(...spread(after.slice(index, end), { startSeconds, endSeconds }));
		index = end;
	}
	return { ...line, text, words };
}

function joined(words: readonly Word[]): string {
	return words.map(({ text }) => text).join('');
}

function tokens(text: string): string[] {
	return text.match(TOKEN) ?? [];
}

function plain(word: string): string {
	return word.replace(NO_LETTER, '').toLowerCase();
}

function spread(words: readonly string[], within: Pick<Word, 'startSeconds' | 'endSeconds'>): Word[] {
	const letters = words.reduce((sum, word) => sum + word.trim().length, 0);
	const length = Math.max(0, within.endSeconds - within.startSeconds);
	const at = (before: number): number => within.startSeconds + (length * before) / letters;
	let before = 0;
	return words.map(text => {
		const startSeconds = at(before);
		before += text.trim().length;
		return { startSeconds, endSeconds: at(before), text };
	});
}

/** Returns which words stayed the same, as indices by the index after: a longest common subsequence. */
function pairs(before: readonly string[], after: readonly string[]): Map<number, number> {
	const found = new Map<number, number>();
	if (before.length > MAX_COMPARED_WORDS || after.length > MAX_COMPARED_WORDS) {
		return found;
	}
	const width = after.length + 1;
	const lengths = new Uint16Array((before.length + 1) * width);
	const length = (row: number, column: number): number => lengths[row * width + column] ?? 0;
	for (let row = before.length - 1; row >= 0; row--) {
		for (let column = after.length - 1; column >= 0; column--) {
			lengths[row * width + column] =
				before[row] === after[column]
					? length(row + 1, column + 1) + 1
					: Math.max(length(row + 1, column), length(row, column + 1));
		}
	}
	for (let row = 0, column = 0; row < before.length && column < after.length;) {
		if (before[row] === after[column]) {
			found.set(column++, row++);
		} else if (length(row + 1, column) >= length(row, column + 1)) {
			row++;
		} else {
			column++;
		}
	}
	return found;
}
