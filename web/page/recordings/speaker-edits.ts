/** What the server has to do so that its transcript has the names of an edited copy, and who is the same. Pure. */

import { isGap, type TranscriptLine } from '../transcript.js';
import type { SpeakerChange } from './speaker-dialog.js';

/** A change of a speaker, by its number. */
export interface SpeakerEdit {
	readonly speaker: number;
	readonly change: SpeakerChange;
}

/**
 * Returns the edits that lead from the speakers of these lines to those of others; an empty name removes the name.
 *
 * Speakers who appear again have only their names here: {@link serverEdits} gives them their words.
 */
export function speakerEdits(
	before: readonly TranscriptLine[],
	after: readonly TranscriptLine[],
): readonly SpeakerEdit[] {
	const [old, names] = [namesOf(before), namesOf(after)];
	const joined = [...old.keys()].flatMap(speaker => {
		const into = names.has(speaker) ? null : successor(before, after, speaker);
		return into === null ? [] : [{ speaker, change: { mergeInto: into } }];
	});
	const targets = new Set(joined.map(({ change }) => change.mergeInto)); // they may have got the other's name
	const named = [...names]
		.filter(([speaker, name]) => targets.has(speaker) || (old.get(speaker) ?? '') !== name)
		.map(([speaker, name]) => ({ speaker, change: { name } }));
	return [...joined, ...named];
}

/** Returns the names of the speakers by number; empty if they have none. */
function namesOf(lines: readonly TranscriptLine[]): Map<number, string> {
	return new Map(
		lines.flatMap(line =>
			isGap(line) || line.speaker === undefined ? [] : [[line.speaker, line.speakerName ?? '']],
		),
	);
}

/** Returns who speaks the lines of a speaker that is gone; `null` if the lines are gone, too. */
function successor(
	before: readonly TranscriptLine[],
	after: readonly TranscriptLine[],
	speaker: number,
): number | null {
	const isTheirs = (line: TranscriptLine): boolean => !isGap(line) && line.speaker === speaker;
	const starts = new Set(before.filter(isTheirs).map(({ startSeconds }) => startSeconds));
	for (const line of after) {
		if (!isGap(line) && line.speaker !== undefined && starts.has(line.startSeconds)) {
			return line.speaker;
		}
	}
	return null;
}
