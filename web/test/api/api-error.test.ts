import { expect, test } from 'vitest';
import { ApiError, notAuricle, problemError, responseError } from '../../src/api/api-error.js';
import { AuricleError } from '../../src/errors.js';
import { problem } from '../fakes/api-server.js';

test('an error has the code, message and wait of the server', () => {
	const body = JSON.stringify(problem('queue_full', { retryable: true, retry_after_s: 7 }));
	const error = responseError(503, '7', body);
	expect(error).toMatchObject({
		code: 'queue_full',
		message: 'Why.',
		status: 503,
		retryable: true,
		retryAfterSeconds: 7,
	});
	expect(error).toBeInstanceOf(AuricleError);
});

test('a wait has a limit', () => {
	expect(problemError({ code: 'a', message: 'b', retry_after_s: 9999 }).retryAfterSeconds).toBe(120);
	expect(responseError(503, '9999', '').retryAfterSeconds).toBe(120);
});

test('a proxy without a server is unreachable', () => {
	expect(responseError(502, '9', '<h1>Bad Gateway</h1>')).toMatchObject({
		code: 'unreachable',
		retryable: true,
		retryAfterSeconds: 9,
	});
	expect(responseError(504, 'Wed, 21 Oct', '').retryAfterSeconds).toBe(0);
});

test('a response of another program is reported', () => {
	for (const body of ['<h1>Not found</h1>', '{"error": "no"}', 'null', '7']) {
		expect(responseError(404, null, body), body).toEqual(notAuricle(404));
	}
	expect(notAuricle(404)).toBeInstanceOf(ApiError);
});
