/** Which recordings' audio the browser keeps: the latest that fit. Pure. */

/** Audio that is kept. */
export interface KeptMedia {
	readonly id: string;
	readonly bytes: number;
	/** Time at which it was last opened, in milliseconds since 1970. */
	readonly usedAt: number;
}

/** Limit for all audio together; 3 hours of MP3 at 128 kbit/s are 170 MB. */
export const MAX_MEDIA_BYTES = 500_000_000;

/**
 * Returns the IDs of the audio that must be removed before more is kept, the longest unused first; `null` if it can't be
 * kept at all.
 *
 * @param kept - What is kept.
 * @param bytes - Size of the new audio.
 * @param maxBytes - The limit.
 */
export function mediaToRemove(
	kept: readonly KeptMedia[],
	bytes: number,
	maxBytes = MAX_MEDIA_BYTES,
): string[] | null {
	if (bytes > maxBytes) {
		return null;
	}
	let total = kept.reduce((sum, media) => sum + media.bytes, bytes);
	const removed: string[] = [];
	for (const media of [...kept].sort((one, other) => one.usedAt - other.usedAt)) {
		if (total <= maxBytes) {
			break;
		}
		total -= media.bytes;
		removed.push(media.id);
	}
	return removed;
}
