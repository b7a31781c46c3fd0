/** Missing speech, as a line that readers see. Pure. */

import type { CaptionTexts } from './caption-texts.js';
import type { GapLine } from './transcript.js';

/** Returns why speech is missing. */
export function gapReason({ gap }: GapLine, texts: CaptionTexts): string {
	return texts.gaps.reasons[gap] ?? texts.gaps.notRecognised(gap);
}

/** Returns what stands in a transcript where speech is missing. */
export function gapText(line: GapLine, texts: CaptionTexts): string {
	const seconds = (line.endSeconds - line.startSeconds).toFixed(1);
	return texts.gaps.line(seconds, gapReason(line, texts));
}
