/** Sends requests with XMLHttpRequest: `fetch` does not report the progress of an upload. */

import type { Fetch } from '../../src/index.js';

/**
 * Returns what sends requests.
 *
 * @param onProgress - Called with the share of the body that was sent, 0 to 1.
 */
export function uploading(onProgress: (share: number) => void): Fetch {
	return (url, { method = 'GET', headers, body = null, signal }) =>
		new Promise((resolve, reject) => {
			const request = new XMLHttpRequest();
			request.open(method, url);
			new Headers(headers).forEach((value, name) => request.setRequestHeader(name, value));
			request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
			request.onload = () => {
				const headers: [string, string][] = [];
				const retryAfter = request.getResponseHeader('Retry-After');
				if (retryAfter !== null) {
					headers.push(['Retry-After', retryAfter]);
				}
				const { status, responseText: text } = request;
				resolve(new Response(text === '' ? null : text, { status, headers }));
			};
			request.onerror = () => reject(new TypeError('There is no response.'));
			request.onabort = () => reject(signal?.reason as Error);
			signal?.addEventListener('abort', () => request.abort(), { once: true });
			request.send(body as XMLHttpRequestBodyInit);
		});
}
