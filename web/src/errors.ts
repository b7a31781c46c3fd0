/** What an {@link AuricleError} may be about; a server's own codes come as they are. */
export type ErrorCode =
	/** What was asked for makes no sense: the sentence says what would. */
	| 'bad_parameters'
	/** This browser can't do it. */
	| 'unsupported'
	/** The browser's encoder made something else than it was asked for. */
	| 'encoder_failed'
	/** The server sent something that is no message. */
	| 'bad_message'
	| (string & {});

/** Base of all that this package throws; its message is a sentence for people. */
export class AuricleError extends Error {
	override readonly name = 'AuricleError';

	constructor(
		/** What it is about; stable. */
		readonly code: ErrorCode,
		message: string,
	) {
		super(message);
	}
}
