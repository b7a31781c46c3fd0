/** Errors of HTTP requests. Pure. */

import { AuricleError, type ErrorCode } from '../errors.js';

const MAX_RETRY_AFTER_SECONDS = 120;
/** Statuses of a proxy whose server does not answer. */
const GATEWAY_STATUSES = [502, 503, 504];

/** An error of a request: `code` is the server's, or `unreachable`; the message is a sentence for users. */
export class ApiError extends AuricleError {
	constructor(
		code: ErrorCode,
		message: string,
		/** HTTP status of the response; 0 if there was none. */
		readonly status = 0,
		/** Whether the same request may succeed later. */
		readonly retryable = false,
		/** Wait that the server requested, in seconds. */
		readonly retryAfterSeconds = 0,
	) {
		super(code, message);
	}
}

/** An error in a document of the server. */
export interface Problem {
	readonly code: string;
	readonly message: string;
	readonly retryable?: boolean;
	readonly retry_after_s?: number | null;
}

/** Returns the error that the server reports in a document. */
export function problemError(problem: Problem, status = 0): ApiError {
	const { code, message, retryable = false, retry_after_s: seconds } = problem;
	return new ApiError(code, message, status, retryable, Math.min(seconds ?? 0, MAX_RETRY_AFTER_SECONDS));
}

/** Returns the error of a response that is not successful; without the server's JSON it is a proxy's. */
export function responseError(status: number, retryAfter: string | null, body: string): ApiError {
	const problem = parse(body);
	if (problem !== null) {
		return problemError(problem, status);
	}
	if (GATEWAY_STATUSES.includes(status)) {
		const seconds = /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : 0;
		const message = `A proxy answers HTTP ${status}: its server does not respond.`;
		return new ApiError('unreachable', message, status, true, Math.min(seconds, MAX_RETRY_AFTER_SECONDS));
	}
	return notAuricle(status);
}

/** Returns the error for a response that no Auricle server sends. */
export function notAuricle(status: number): ApiError {
	return new ApiError('bad_message', `The response (HTTP ${status}) is not from an Auricle server.`, status);
}

function parse(body: string): Problem | null {
	try {
		const { error } = JSON.parse(body) as { error?: Partial<Problem> };
		const isProblem = typeof error?.code === 'string' && typeof error.message === 'string';
		return isProblem ? (error as Problem) : null;
	} catch {
		return null;
	}
}
