/** Finds words in transcripts, without regard to case and accents. Pure. */

import { isGap, type TranscriptLine } from '../transcript.js';

/** A line that has all words of a query, and where they are in its text: in order, without overlaps. */
export interface LineMatch {
	readonly line: number;
	readonly ranges: readonly Range[];
}

/** A part of a text, in UTF-16 code units. */
export interface Range {
	readonly start: number;
	readonly end: number;
}

/** A part of a text around a match, and whether it is the match itself. */
export interface ExcerptPart {
	readonly text: string;
	readonly isMatch: boolean;
}

/** Longest query: as the server's. */
export const MAX_QUERY_CHARACTERS = 1000;
const CHARACTERS_BEFORE_MATCH = 40;
const MARKS = /\p{M}/gu;

/** Returns the lines that contain all words of a query; none for a query without words. */
export function findLines(lines: readonly TranscriptLine[], query: string): LineMatch[] {
	const words = queryWords(query);
	if (words.length === 0) {
		return [];
	}
	return lines.flatMap((line, index) => {
		const ranges = isGap(line) ? null : rangesOf(line.text, words);
		return ranges === null ? [] : [{ line: index, ranges }];
	});
}

/** Returns where the words of a query are in a text; `null` unless all of them are. */
export function findInText(text: string, query: string): readonly Range[] | null {
	const words = queryWords(query);
	return words.length === 0 ? null : rangesOf(text, words);
}

/** Returns the part of a text that begins shortly before the first match, with the matches told apart. */
export function excerptOf(text: string, ranges: readonly Range[]): ExcerptPart[] {
	const first = ranges[0]?.start ?? 0;
	const space = text.indexOf(' ', Math.max(0, first - CHARACTERS_BEFORE_MATCH));
	const from = first <= CHARACTERS_BEFORE_MATCH || space < 0 || space >= first ? 0 : space + 1;
	const parts: ExcerptPart[] = [];
	let at = from;
	for (const { start, end } of ranges) {
		parts.push({ text: `${at === from && from > 0 ? '… ' : ''}${text.slice(at, start)}`, isMatch: false });
		parts.push({ text: text.slice(start, end), isMatch: true });
		at = end;
	}
	parts.push({ text: text.slice(at), isMatch: false });
	return parts.filter(part => part.text !== '');
}

function queryWords(query: string): string[] {
	const words = query.slice(0, MAX_QUERY_CHARACTERS).split(/\s+/u);
	return words.map(word => folded(word).text).filter(word => word !== '');
}

function rangesOf(text: string, words: readonly string[]): Range[] | null {
	const { text: within, places } = folded(text);
	const found: Range[] = [];
	for (const word of words) {
		const before = found.length;
		for (let at = within.indexOf(word); at >= 0; at = within.indexOf(word, at + word.length)) {
			found.push({ start: places[at] ?? 0, end: places[at + word.length] ?? text.length });
		}
		if (found.length === before) {
			return null;
		}
	}
	found.sort((one, other) => one.start - other.start || other.end - one.end);
	let end = 0;
	return found.filter(range => {
		const isApart = range.start >= end;
		end = Math.max(end, range.end);
		return isApart;
	});
}

/** Returns a text in lower case without accents, and the place of each of its code units in the original. */
function folded(text: string): { text: string; places: readonly number[] } {
	const places: number[] = [];
	let result = '';
	let at = 0;
	for (const character of text) {
		const plain = character.normalize('NFKD').replace(MARKS, '').toLowerCase();
		for (let unit = 0; unit < plain.length; unit++) {
			places.push(at);
		}
		result += plain;
		at += character.length;
	}
	return { text: result, places };
}
