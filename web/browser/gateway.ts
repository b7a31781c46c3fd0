/**
 * What the browser talks to: serves a page, hands all else on to the server, and counts the audio that passes.
 *
 * Server and page have one origin by this, as they will have for users. The network can be broken here.
 */

import { readFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CLIP } from './clip.js';
import { ClientFrames } from './frames.js';

const dist = (name: string): URL => new URL(`../dist/${name}`, import.meta.url);

const PAGE = `<!doctype html>
<title>A page that uses the client library</title>
<script type="module">
	globalThis.auricle = await import('/dist/index.js');
</script>`;

/** What stands before the worker's own script: each a browser that can do less. */
const POORER_WORKERS: Readonly<Record<string, string>> = {
	'/worker-without-encoder.js': 'delete globalThis.AudioEncoder;',
	'/worker-with-dying-encoder.js': `
		let frames = 0;
		const encode = AudioEncoder.prototype.encode;
		AudioEncoder.prototype.encode = function (audio) {
			if (++frames > 150) throw new Error('it broke');
			encode.call(this, audio);
		};`,
};

/** A gateway to a server. */
export class Gateway {
	/** The numbers of all packets that went up, in order, those sent again too. */
	readonly packets: number[] = [];
	/** The samples of PCM that went up. */
	pcmSamples = 0;
	/** WebSockets that were opened. */
	connections = 0;
	readonly #serverPort: number;
	readonly #server: Server;
	readonly #open = new Set<Duplex>();
	#isCut = false;

	private constructor(serverPort: number) {
		this.#serverPort = serverPort;
		this.#server = createServer((asked, answer) => void this.#answer(asked, answer));
		this.#server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
			this.#upgrade(asked, socket, head);
		});
	}

	/** Opens one on a port of its own. */
	static async open(serverPort: number): Promise<Gateway> {
		const gateway = new Gateway(serverPort);
		await new Promise<void>(resolve => gateway.#server.listen(0, '127.0.0.1', resolve));
		return gateway;
	}

	/** The page's address. */
	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
	}

	/** Breaks all connections to the server; new ones fail. */
	cut(): void {
		this.#isCut = true;
		this.#breakAll();
	}

	/** Lets connections through again. */
	mend(): void {
		this.#isCut = false;
	}

	/** Ends it. */
	async close(): Promise<void> {
		this.#breakAll();
		this.#server.closeAllConnections();
		await new Promise(resolve => this.#server.close(resolve));
	}

	#breakAll(): void {
		for (const socket of this.#open) {
			socket.destroy();
		}
		this.#open.clear();
	}

	async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
		const path = asked.url ?? '/';
		const script = { 'Content-Type': 'text/javascript' };
		if (path === '/') {
			answer.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
		} else if (path.startsWith('/dist/')) {
			answer.writeHead(200, script).end(await readFile(dist(path.slice('/dist/'.length))));
		} else if (path in POORER_WORKERS) {
			const worker = await readFile(dist('worker.js'), 'utf8');
			answer.writeHead(200, script).end(`${POORER_WORKERS[path] ?? ''}\n${worker}`);
		} else if (path === '/clip.wav') {
			answer.writeHead(200, { 'Content-Type': 'audio/wav' }).end(await readFile(CLIP));
		} else if (this.#isCut) {
			answer.destroy();
		} else {
			this.#handOn(asked, answer);
		}
	}

	#handOn(asked: IncomingMessage, answer: ServerResponse): void {
		const { url, method, headers } = asked;
		const up = request({ port: this.#serverPort, host: '127.0.0.1', path: url, method, headers }, down => {
			answer.writeHead(down.statusCode ?? 502, down.headers);
			down.pipe(answer);
		});
		up.on('error', () => answer.destroy());
		asked.pipe(up);
	}

	#upgrade(asked: IncomingMessage, socket: Socket, head: Buffer): void {
		if (this.#isCut) {
			socket.destroy();
			return;
		}
		this.connections++;
		const up = connect(this.#serverPort, '127.0.0.1');
		const lines = [`GET ${asked.url ?? ''} HTTP/1.1`];
		for (let at = 0; at < asked.rawHeaders.length; at += 2) {
			lines.push(`${asked.rawHeaders[at] ?? ''}: ${asked.rawHeaders[at + 1] ?? ''}`);
		}
		up.write(`${lines.join('\r\n')}\r\n\r\n`);
		up.write(head);
		const frames = new ClientFrames();
		socket.on('data', (data: Buffer) => {
			for (const { packets, pcmSamples } of frames.take(data)) {
				this.packets.push(...packets);
				this.pcmSamples += pcmSamples;
			}
		});
		socket.pipe(up);
		up.pipe(socket);
		for (const end of [socket, up]) {
			this.#open.add(end);
			end.on('error', () => end.destroy());
			end.on('close', () => {
				this.#open.delete(end);
				(end === up ? socket : up).destroy();
			});
		}
	}
}
