/** Text for HTTP headers. */

/** Returns text with one character for each byte of its UTF-8. */
export function asBytes(text: string): string {
	return String.fromCharCode(...new TextEncoder().encode(text));
}
