/**
 * Why a WebSocket could not be opened, and how full the server is. A browser reports neither the status nor Retry-After,
 * so the client asks the server over HTTP.
 */

import { AuricleError } from './errors.js';
import { type Load, NO_WORKER_READY, type Refusal, STARTING } from './client-session.js';

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
	const get = requester(stream, apiKey, ask);
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
		return busyReason(await healthOf(await get('/health')));
	} catch {
		return { cause: 'network', message: 'The server cannot be reached.', retryAfterSeconds: 0 };
	}
}

/**
 * Returns how many people a server transcribes that has refused a client as full; `undefined` if it does not say.
 *
 * @param stream - The WebSocket's address.
 * @param apiKey - The key or token that was sent, if any.
 * @param ask - Sends the request.
 */
export async function serverLoad(
	stream: URL,
	apiKey: string | undefined,
	ask: Fetch = fetch,
): Promise<Load | undefined> {
	try {
		return loadOf(await healthOf(await requester(stream, apiKey, ask)('/health')));
	} catch {
		return undefined; // the refusal itself has arrived
	}
}

function requester(stream: URL, apiKey: string | undefined, ask: Fetch): (path: string) => Promise<Response> {
	const base = `${stream.protocol === 'wss:' ? 'https' : 'http'}://${stream.host}`;
	const root = base + stream.pathname.replace(/\/v1\/stream$/, '');
	const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
	return path =>
		ask(root + path, { headers, cache: 'no-store', signal: AbortSignal.timeout(LIMIT_MILLISECONDS) });
}

async function healthOf(response: Response): Promise<Health | null> {
	return (await response.json().catch(() => null)) as Health | null;
}

/** Returns the numbers of a full server: it counts the refused clients. */
function loadOf(health: Health | null): Load | undefined {
	const live = health?.live;
	return live === undefined || live.waiting_clients === 0
		? undefined
		: { speakers: Math.round(live.speakers), capacity: Math.round(live.capacity) };
}

function notReady(response: Response, code: string): Refusal {
	const seconds = Number(response.headers.get('Retry-After') ?? 0);
	const retryAfterSeconds = Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
	if (code === 'draining') {
		return { cause: 'restarting', message: 'The server is restarting.', retryAfterSeconds };
	}
	if (code === NO_WORKER_READY) {
		return STARTING;
	}
	return { cause: 'network', message: `The server returned status ${response.status}.`, retryAfterSeconds };
}

/** What is read of `/health`; a proxy may return something else. */
interface Health {
	readonly sessions?: { readonly connected: number; readonly waiting: number; readonly max: number };
	readonly live?: { readonly speakers: number; readonly capacity: number; readonly waiting_clients: number };
}

/** Returns why a server that is ready refuses. */
function busyReason(health: Health | null): Refusal {
	const full = {
		cause: 'full',
		message: 'The server is full.',
		retryAfterSeconds: FULL_RETRY_SECONDS,
	} as const;
	const load = loadOf(health);
	if (load !== undefined) {
		return { ...full, load };
	}
	const { sessions } = health ?? {};
	return sessions !== undefined && sessions.connected + sessions.waiting >= sessions.max
		? full
		: { ...full, cause: 'busy', message: 'The server accepts no new connections.' };
}

async function codeOf(response: Response): Promise<string> {
	const body = (await response.json().catch(() => null)) as { error?: { code?: unknown } } | null;
	const code = body?.error?.code;
	return typeof code === 'string' ? code : '';
}
