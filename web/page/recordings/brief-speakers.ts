/** Speakers of so few words that they are rarely people: a cough, or half a word between two others. Pure. */

import { type SpeakerFields, withFields } from '../speaker-names.js';
import { isGap, type Line, type TranscriptLine } from '../transcript.js';
import type { SpeakerShare } from './speaker-shares.js';

const MAX_SHARE = 0.02;
const MAX_SECONDS = 3;

/** Returns the numbers of the speakers with less speech than both limits, unless they have a name, or all are like this. */
export function briefSpeakers(
	shares: readonly SpeakerShare[],
	lines: readonly TranscriptLine[],
): ReadonlySet<number> {
	const named = new Set(
		lines.flatMap(line => (isGap(line) || line.speakerName === undefined ? [] : (line.speaker ?? []))),
	);
	const brief = shares.filter(
		({ number, share, seconds }) => share < MAX_SHARE && seconds < MAX_SECONDS && !named.has(number),
	);
	return new Set(brief.length === shares.length ? [] : brief.map(({ number }) => number));
}

/** Returns lines in which the words of some speakers are those of the speakers next to them in time. */
export function foldedInto(
	lines: readonly TranscriptLine[],
	brief: ReadonlySet<number>,
): readonly TranscriptLine[] {
	const others = lines.filter(
		(line): line is Line & { readonly speaker: number } =>
			!isGap(line) && line.speaker !== undefined && !brief.has(line.speaker),
	);
	return lines.map(line => {
		if (isGap(line) || line.speaker === undefined || !brief.has(line.speaker)) {
			return line;
		}
		const before = others.findLast(other => other.startSeconds <= line.startSeconds);
		const after = others.find(other => other.startSeconds > line.startSeconds);
		const pauseBefore = before === undefined ? Infinity : line.startSeconds - before.endSeconds;
		const pauseAfter = after === undefined ? Infinity : after.startSeconds - line.endSeconds;
		const next = pauseBefore <= pauseAfter ? before : after;
		return next === undefined ? line : withFields(line, fieldsOf(next));
	});
}

function fieldsOf({ speaker, speakerName }: Line & { readonly speaker: number }): SpeakerFields {
	return speakerName === undefined ? { speaker } : { speaker, speakerName };
}
