/** Requests a token that reads a live session, and withdraws one. */

const LIMIT_MILLISECONDS = 10_000;

/** The server's refusal. */
export class TokenRefused extends Error {
	/** @param code - Code of the server's error, or `not_shared` or `not_withdrawn` if it is unreachable. */
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
	const body = JSON.stringify({ ttl_s: seconds });
	const answer = await request({ session }, { method: 'POST', body }, key, 'not_shared');
	const { token } = (await answer.json().catch(() => ({}))) as { token?: string };
	if (token === undefined) {
		throw new TokenRefused('internal');
	}
	return token;
}

/**
 * Withdraws a token: the server refuses it from now on.
 *
 * @param session - The session that it reads.
 * @param token - The token.
 * @param key - The key of the session, encoded for headers.
 * @throws TokenRefused if the server refuses, or is unreachable.
 */
export async function withdrawToken(session: string, token: string, key: string | undefined): Promise<void> {
	await request({ session, token }, { method: 'DELETE' }, key, 'not_withdrawn');
}

async function request(
	query: { readonly session: string } & Readonly<Record<string, string>>,
	init: RequestInit,
	key: string | undefined,
	unreachable: string,
): Promise<Response> {
	const path = `v1/sessions/${encodeURIComponent(query.session)}/token`;
	const answer = await fetch(`${path}?${new URLSearchParams(query).toString()}`, {
		...init,
		headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
		signal: AbortSignal.timeout(LIMIT_MILLISECONDS),
	}).catch(() => {
		throw new TokenRefused(unreachable);
	});
	if (!answer.ok) {
		const body = (await answer.json().catch(() => ({}))) as { error?: { code: string } };
		throw new TokenRefused(body.error?.code ?? 'internal');
	}
	return answer;
}
