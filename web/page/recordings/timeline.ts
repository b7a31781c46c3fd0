/** Which word is spoken at a time. Pure. */

import { isGap, type TranscriptLine } from '../transcript.js';
import { timedWords } from './words.js';

/** Place of a word: indices of its line, and of the word in {@link timedWords} of it. */
export interface WordPlace {
	readonly line: number;
	readonly word: number;
}

interface Start extends WordPlace {
	readonly startSeconds: number;
}

/** The words of a transcript, in order of time. */
export class Timeline {
	readonly #starts: readonly Start[];

	/** @param lines - The transcript. */
	constructor(lines: readonly TranscriptLine[]) {
		this.#starts = lines
			.flatMap((each, line) =>
				isGap(each) ? [] : timedWords(each).map(({ startSeconds }, word) => ({ startSeconds, line, word })),
			)
			.sort((one, other) => one.startSeconds - other.startSeconds);
	}

	/** Returns the latest word that has started; `null` before the first one. */
	at(seconds: number): WordPlace | null {
		let [low, high] = [0, this.#starts.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#starts[middle]?.startSeconds ?? Infinity) <= seconds) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}
		const found = this.#starts[low - 1];
		return found === undefined ? null : { line: found.line, word: found.word };
	}
}
