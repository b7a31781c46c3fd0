/** A browser's WebSocket that does as it is told. */

/** See above. */
export class FakeWebSocket {
	/** All that were made, in order. */
	static all: FakeWebSocket[] = [];

	onopen: (() => void) | null = null;
	onmessage: ((event: { data: unknown }) => void) | null = null;
	onclose: ((event: { code: number; reason: string }) => void) | null = null;
	bufferedAmount = 0;
	readonly sent: (string | Uint8Array)[] = [];
	closedWith: number | null = null;
	readonly url: URL;
	readonly protocols: readonly string[];

	constructor(url: URL, protocols: readonly string[]) {
		if (protocols.some(name => /[^\w.-]/.test(name))) {
			throw new DOMException('no token', 'SyntaxError');
		}
		this.url = url;
		this.protocols = protocols;
		FakeWebSocket.all.push(this);
	}

	send(data: string | Uint8Array): void {
		this.sent.push(data);
	}

	close(code: number): void {
		this.closedWith = code;
	}

	/** Says something as the server. */
	say(message: object): void {
		this.onmessage?.({ data: JSON.stringify(message) });
	}
}
