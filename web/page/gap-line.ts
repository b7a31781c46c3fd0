/** Missing speech, as a line of the transcript. Pure. */

import type { CaptionTexts } from './caption-texts.js';
import type { GapLine } from './transcript.js';

/** Returns the reason of a gap. */
export function gapReason({ gap }: GapLine, texts: CaptionTexts): string {
	return texts.gaps.reasons[gap] ?? texts.gaps.notRecognised(gap);
}

/** Returns the line that replaces missing speech in a transcript. */
export function gapText(line: GapLine, texts: CaptionTexts): string {
	const seconds = (line.endSeconds - line.startSeconds).toFixed(1);
	return texts.gaps.line(seconds, gapReason(line, texts));
}
