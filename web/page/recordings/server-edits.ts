/** What the server has to do so that its transcript has the speakers and paragraphs of an edited copy. Pure. */

import type { ParagraphChange } from '../../src/index.js';
import { isGap, type Line, type TranscriptLine } from '../transcript.js';
import type { SpeakerEdit } from './speaker-edits.js';
import { speakerEdits } from './speaker-edits.js';

/** Edits in their order: speakers who are joined, then paragraphs, then names. */
export interface ServerEdits {
	readonly joins: readonly SpeakerEdit[];
	readonly paragraphs: readonly ParagraphChange[];
	readonly names: readonly SpeakerEdit[];
}

/** The shortest range, as words may have no duration. */
const MIN_SECONDS = 0.001;

/** Returns the edits that lead from the speakers and paragraphs of these lines to those of others. */
export function serverEdits(
	before: readonly TranscriptLine[],
	after: readonly TranscriptLine[],
): ServerEdits {
	const edits = speakerEdits(before, after);
	const joins = edits.filter(({ change }) => 'mergeInto' in change);
	const into = new Map(
		joins.flatMap(({ speaker, change }) => ('mergeInto' in change ? [[speaker, change.mergeInto]] : [])),
	);
	const spoken = (lines: readonly TranscriptLine[]): Line[] =>
		lines.filter((line): line is Line => !isGap(line));
	const speakerOf = ({ speaker }: Line): number | null =>
		speaker === undefined ? null : (into.get(speaker) ?? speaker);
	const [old, current] = [spoken(before), spoken(after)];
	const changed = unlike(current, old).flatMap(line => {
		const origin = sourceOf(line, old);
		return origin === undefined ? [] : changeOf(line, speakerOf(origin), startOf(origin, line), line);
	});
	const undone = unlike(old, current).flatMap(line => {
		const result = sourceOf(line, current);
		const isStart = result === undefined || result.startSeconds === line.startSeconds;
		return isStart ? [] : changeOf(line, speakerOf(line), line.startsParagraph ?? null, result, null);
	});
	return {
		joins,
		paragraphs: [...undone, ...changed],
		names: edits.filter(({ change }) => 'name' in change),
	};
}

/** Returns the lines that are not among others, by identity: edits leave all other lines as they are. */
function unlike(lines: readonly Line[], others: readonly Line[]): Line[] {
	const known = new Set(others);
	return lines.filter(line => !known.has(line));
}

/** Returns the line with the same start, or the one around it. */
function sourceOf({ startSeconds: at }: Line, lines: readonly Line[]): Line | undefined {
	return (
		lines.find(({ startSeconds }) => startSeconds === at) ??
		lines.find(({ startSeconds, endSeconds }) => startSeconds <= at && at < endSeconds)
	);
}

function startOf(origin: Line, line: Line): boolean | null {
	return origin.startSeconds === line.startSeconds ? (origin.startsParagraph ?? null) : null;
}

/** Returns the change of a line's words, if there is any. */
function changeOf(
	{ startSeconds, endSeconds, words }: Line,
	fromSpeaker: number | null,
	start: boolean | null,
	result: Line,
	startsParagraph: boolean | null = result.startsParagraph ?? null,
): ParagraphChange[] {
	const speaker = result.speaker ?? null;
	const lastSeconds = words?.at(-1)?.startSeconds ?? startSeconds;
	const change = {
		startSeconds,
		endSeconds: Math.max(endSeconds, lastSeconds + MIN_SECONDS),
		...{ fromSpeaker, speaker, startsParagraph },
	};
	return fromSpeaker === speaker && start === startsParagraph ? [] : [change];
}
