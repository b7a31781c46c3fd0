/** Links for those who read a live session along. Pure. */

/** A link that works until it expires. */
export interface ShareLink {
	/** The session that it reads. */
	readonly session: string;
	/** Address of the readers' page, for a second screen or a phone. */
	readonly url: string;
	readonly token: string;
	readonly expiresAt: Date;
}

/** How captions look as a layer over a picture. */
export interface LayerStyle {
	readonly background: string;
	readonly lines: number;
	readonly sizePercent: number;
}

/**
 * Returns a link.
 *
 * @param page - Address of the captions page; a proxy may give it a folder.
 * @param session - The session.
 * @param token - A token that reads it.
 * @param expiresAt - When the token expires.
 */
export function shareLink(page: string, session: string, token: string, expiresAt: Date): ShareLink {
	const url = new URL('reader', page);
	url.hash = new URLSearchParams({ session, token }).toString();
	return { session, url: url.href, token, expiresAt };
}

/** Returns the address of a layer with a link's captions. */
export function layerUrl(link: ShareLink, { background, lines, sizePercent }: LayerStyle): string {
	const options = { background, lines: String(lines), size: String(sizePercent) };
	return `${link.url}&${new URLSearchParams(options).toString()}`;
}

/** Returns whether only this computer can open a link: other devices know their own `localhost`. */
export function isLocalOnly(page: string): boolean {
	const { hostname } = new URL(page);
	return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
