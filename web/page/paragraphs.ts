/** Where the paragraphs of a transcript start. Pure. */

import { isGap, type Line, type TranscriptLine } from './transcript.js';

/** A pause of this length starts a paragraph: longer than between sentences, shorter than between topics. */
const PAUSE_SECONDS = 2;
/** Speech that was cut without a pause continues at its end; after a pause, a line starts at least 0.1 s later. */
const CUT_SECONDS = 0.05;
/** A longer paragraph is hard to read; the next line starts another. */
const MAX_CHARACTERS = 480;

/**
 * Returns for each line whether a paragraph starts with it: after a pause, with another speaker, around missing speech.
 *
 * The user's decision counts more than the pause and the length.
 */
export function paragraphStarts(lines: readonly TranscriptLine[]): boolean[] {
	let characters = 0;
	return lines.map((line, index) => {
		const length = isGap(line) ? 0 : line.text.length;
		const isStart = startsAnother(lines[index - 1], line, characters + length);
		characters = isStart ? length : characters + length;
		return isStart;
	});
}

function startsAnother(
	before: TranscriptLine | undefined,
	line: TranscriptLine,
	characters: number,
): boolean {
	if (before === undefined || isGap(before) || isGap(line)) {
		return true;
	}
	if (line.speaker !== before.speaker || line.speakerName !== before.speakerName) {
		return true;
	}
	const isPause = line.startSeconds - before.endSeconds >= PAUSE_SECONDS;
	return line.startsParagraph ?? (isPause || characters > MAX_CHARACTERS);
}

/**
 * Returns an unfinished line with its speaker, if that is known: the one of the line before, unless a pause has ended that.
 *
 * After a pause, somebody else may speak; the final says who.
 */
export function withSpeaker(line: Line, before: TranscriptLine | undefined): Line {
	if (before === undefined || isGap(before) || before.speaker === undefined) {
		return line;
	}
	if (line.startSeconds - before.endSeconds > CUT_SECONDS) {
		return line;
	}
	const { speaker, speakerName } = before;
	return speakerName === undefined ? { ...line, speaker } : { ...line, speaker, speakerName };
}

/** Groups lines into paragraphs. */
export function paragraphsOf(lines: readonly TranscriptLine[]): TranscriptLine[][] {
	const starts = paragraphStarts(lines);
	const paragraphs: TranscriptLine[][] = [];
	for (const [index, line] of lines.entries()) {
		if (starts[index] === true) {
			paragraphs.push([]);
		}
		paragraphs.at(-1)?.push(line);
	}
	return paragraphs;
}
