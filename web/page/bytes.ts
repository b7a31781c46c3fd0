/** Text as headers take it. */

/** Returns text with a character for each byte of its UTF-8. */
export function asBytes(text: string): string {
	return String.fromCharCode(...new TextEncoder().encode(text));
}
