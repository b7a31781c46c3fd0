/** Asks the server for a token that reads a live session. */

const LIMIT_MILLISECONDS = 10_000;

/** The server's refusal. */
export class TokenRefused extends Error {
	/** @param code - Code of the server's error, or `not_shared` if it is unreachable. */
	constructor(readonly code: string) {
		super(code);
	}
}

/**
 * Returns a token.
 *
 * @param session - The session; load balancers find its server by the query.
 * @param seconds - How long the token works.
 * @param key - The key of the session, encoded for headers.
 * @throws TokenRefused if the server refuses, or is unreachable.
 */
export async function readingToken(
	session: string,
	seconds: number,
	key: string | undefined,
): Promise<string> {
	const path = `v1/sessions/${encodeURIComponent(session)}/token`;
	const answer = await fetch(`${path}?${new URLSearchParams({ session }).toString()}`, {
		method: 'POST',
		headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
		body: JSON.stringify({ ttl_s: seconds }),
		signal: AbortSignal.timeout(LIMIT_MILLISECONDS),
	}).catch(() => {
		throw new TokenRefused('not_shared');
	});
	const body = (await answer.json().catch(() => ({}))) as { token?: string; error?: { code: string } };
	if (!answer.ok || body.token === undefined) {
		throw new TokenRefused(body.error?.code ?? 'internal');
	}
	return body.token;
}
