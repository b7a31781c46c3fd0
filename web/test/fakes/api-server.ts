/** A server of the HTTP API that follows a script, on a real socket. */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What it answers: `null` loses the connection. */
export type Answer = {
	readonly status?: number;
	readonly body?: unknown;
	readonly headers?: Record<string, string>;
} | null;

/** A request that has arrived. */
export interface Received {
	readonly line: string;
	readonly headers: IncomingMessage['headers'];
	readonly body: string;
}

/** An error of the server as a document. */
export const problem = (code: string, fields: object = {}): { error: object } => ({
	error: { code, message: 'Why.', retryable: false, retry_after_s: null, ...fields },
});

/** A server; each answer is used once, but the last one is repeated. */
export class ApiServer {
	readonly received: Received[] = [];
	answers: Answer[] = [{}];
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
	}

	/** Starts one on a free port. */
	static async start(): Promise<ApiServer> {
		const server = createServer((request, response) => {
			void (async () => {
				const body = await text(request);
				started.received.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
				const [answer = null] = started.answers.length > 1 ? started.answers.splice(0, 1) : started.answers;
				if (answer === null) {
					request.socket.destroy();
					return;
				}
				const { status = 200, body: document = {}, headers = {} } = answer;
				response.writeHead(status, headers);
				response.end(typeof document === 'string' ? document : JSON.stringify(document));
			})();
		});
		const started = new ApiServer(server);
		await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
		return started;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** The request lines so far. */
	get lines(): string[] {
		return this.received.map(({ line }) => line);
	}

	/** Stops it. */
	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise(resolve => this.#server.close(resolve));
	}
}
