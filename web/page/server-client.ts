/** The client of the page's server. */

import { Client, type Fetch } from '../src/index.js';

/**
 * Returns a client that sends each request once: the page decides whether to repeat it.
 *
 * @param key - The key for the server.
 * @param send - Sends the requests; the global `fetch` if omitted.
 */
export function clientOf(key: string | undefined, send?: Fetch): Client {
	return new Client({
		url: new URL('.', location.href).href,
		patienceSeconds: 0,
		...(key === undefined ? {} : { apiKey: key }),
		...(send === undefined ? {} : { fetch: send }),
	});
}
