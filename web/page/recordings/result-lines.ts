/** Lines of the page for transcripts of the server. Pure. */

import type { KeptTranscript as ServerTranscript, KeptWord, Transcript } from '../../src/index.js';
import type { Line, TranscriptLine, Word } from '../transcript.js';

/** Returns the lines of a job's transcript; parts that could not be transcribed are gaps. */
export function linesOfJob({ language, segments, gaps }: Transcript): readonly TranscriptLine[] {
	const spoken = segments.map(({ startSeconds, endSeconds, text, words, speaker }) => ({
		startSeconds,
		endSeconds,
		...textOf(text, words),
		language,
		...(speaker === null ? {} : { speaker }),
	}));
	const missing = gaps.map(({ startSeconds, endSeconds, code }) => ({
		startSeconds,
		endSeconds,
		gap: code,
	}));
	return [...spoken, ...missing].sort((one, other) => one.startSeconds - other.startSeconds);
}

/** Returns the lines of a transcript that the server keeps. */
export function linesOfKept({ language, segments, speakers }: ServerTranscript): readonly Line[] {
	const names = new Map(speakers.map(({ number, name }) => [number, name]));
	return segments.map(({ startSeconds, endSeconds, text, words, speaker, startsParagraph }) => {
		const name = speaker === null ? null : (names.get(speaker) ?? null);
		return {
			startSeconds,
			endSeconds,
			...textOf(text, words),
			language,
			...(speaker === null ? {} : { speaker }),
			...(name === null ? {} : { speakerName: name }),
			...(startsParagraph === null ? {} : { startsParagraph }),
		};
	});
}

/** Returns a text without spaces around it, and its words if they are all of it. */
function textOf(segment: string, timed: readonly KeptWord[] | null): Pick<Line, 'text' | 'words'> {
	const text = segment.trim();
	const words: Word[] = (timed ?? []).map(({ startSeconds, endSeconds, text }, index) => ({
		startSeconds,
		endSeconds,
		text: index === 0 ? text.trimStart() : text,
	}));
	return words.length > 0 && words.map(word => word.text).join('') === text ? { text, words } : { text };
}
