/** Codes of an {@link AuricleError}; the server's codes are passed unchanged. */
export type ErrorCode =
	/** A parameter is invalid; the message says what is allowed. */
	| 'bad_parameters'
	/** This browser does not support it. */
	| 'unsupported'
	/** The browser's encoder produced invalid output. */
	| 'encoder_failed'
	/** The server sent an invalid message. */
	| 'bad_message'
	| (string & {});

/** Base class of all errors of this package; the message is a sentence for users. */
export class AuricleError extends Error {
	override readonly name = 'AuricleError';

	constructor(
		/** Stable code of the error. */
		readonly code: ErrorCode,
		message: string,
	) {
		super(message);
	}
}
