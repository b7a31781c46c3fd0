/**
 * Why a WebSocket could not be opened. A browser reports neither the status nor Retry-After, so the client asks the
 * server over HTTP.
 */

import { AuricleError } from './errors.js';
import type { Refusal } from './client-session.js';

/** Maximum wait for the response. */
const LIMIT_MILLISECONDS = 5000;
const FULL_RETRY_SECONDS = 2;

/** Sends a request with a URL and headers; usually `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Returns why a connection was refused: a {@link Refusal} if another attempt may help, an error if none will.
 *
 * @param stream - The WebSocket's address.
 * @param apiKey - The key or token that was sent, if any.
 * @param ask - Sends the requests.
 */
export async function refusalReason(
	stream: URL,
	apiKey: string | undefined,
	ask: Fetch = fetch,
): Promise<Refusal | AuricleError> {
	const base = `${stream.protocol === 'wss:' ? 'https' : 'http'}://${stream.host}`;
	const root = base + stream.pathname.replace(/\/v1\/stream$/, '');
	const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
	const get = (path: string): Promise<Response> =>
		ask(root + path, { headers, cache: 'no-store', signal: AbortSignal.timeout(LIMIT_MILLISECONDS) });
	try {
		const readiness = await get('/readyz');
		if (!readiness.ok) {
			return notReady(readiness, await codeOf(readiness));
		}
		const key = await get('/jobs/-'); // there is no such job, but the request requires a key
		if (key.status === 401) {
			return (await codeOf(key)) === 'token_expired'
				? new AuricleError('token_expired', 'This token has expired: get a new one.')
				: new AuricleError('unauthorized', 'The server does not know this key.');
		}
		if (key.status === 403) {
			return new AuricleError('forbidden_origin', 'The server does not accept pages from this origin.');
		}
		return (await isFull(await get('/health')))
			? busy('The server is full.')
			: busy('The server accepts no new connections.');
	} catch {
		return { cause: 'network', message: 'The server cannot be reached.', retryAfterSeconds: 0 };
	}
}

function notReady(response: Response, code: string): Refusal {
	const seconds = Number(response.headers.get('Retry-After') ?? 0);
	const retryAfterSeconds = Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
	if (code === 'draining') {
		return { cause: 'restarting', message: 'The server is restarting.', retryAfterSeconds };
	}
	if (code === 'no_worker_ready') {
		// Asked for readiness alone, it answers at once: Retry-After is for requests that cost more.
		return { cause: 'starting', message: 'The server is starting.', retryAfterSeconds: 0 };
	}
	return { cause: 'network', message: `The server returned status ${response.status}.`, retryAfterSeconds };
}

function busy(message: string): Refusal {
	return { cause: 'busy', message, retryAfterSeconds: FULL_RETRY_SECONDS };
}

async function codeOf(response: Response): Promise<string> {
	const body = (await response.json().catch(() => null)) as { error?: { code?: unknown } } | null;
	const code = body?.error?.code;
	return typeof code === 'string' ? code : '';
}

async function isFull(health: Response): Promise<boolean> {
	const body = (await health.json().catch(() => null)) as {
		sessions?: { connected?: number; waiting?: number; max?: number };
	} | null;
	const { connected = 0, waiting = 0, max = Infinity } = body?.sessions ?? {};
	return connected + waiting >= max;
}
