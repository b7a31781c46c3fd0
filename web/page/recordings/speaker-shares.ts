/** Who speaks how much in a transcript. Pure. */

import { isGap, speakerOf, type TranscriptLine, type TranscriptWords } from '../transcript.js';

/** A speaker with the share of all speech with a known speaker, 0 to 1. */
export interface SpeakerShare {
	readonly number: number;
	readonly name: string;
	readonly share: number;
	readonly seconds: number;
}

/** Returns the speakers, by their first appearance. */
export function speakerShares(
	lines: readonly TranscriptLine[],
	words: Pick<TranscriptWords, 'speaker'>,
): SpeakerShare[] {
	const found = new Map<number, { name: string; seconds: number }>();
	let total = 0;
	for (const line of lines) {
		if (!isGap(line) && line.speaker !== undefined) {
			const seconds = Math.max(0, line.endSeconds - line.startSeconds);
			const name = speakerOf(line, words) ?? '';
			found.set(line.speaker, { name, seconds: (found.get(line.speaker)?.seconds ?? 0) + seconds });
			total += seconds;
		}
	}
	return [...found].map(([number, { name, seconds }]) => ({
		number,
		name,
		share: total === 0 ? 0 : seconds / total,
		seconds,
	}));
}
