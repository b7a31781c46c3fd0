/**
 * What the browser talks to: serves pages for the tests under `/_test/`, hands all else on to the server, and counts the
 * audio that passes.
 *
 * Server and page have one origin by this, as they have for users. The network can be broken here.
 */

import { readFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FAKE_MICROPHONE, TESTDATA } from './clip.js';
import { ClientFrames } from './frames.js';

const HERE = '/_test/';
const DIST = new URL('../dist/', import.meta.url);

const PAGE = `<!doctype html>
<title>A page that uses the client library</title>
<script type="module">
	globalThis.auricle = await import('${HERE}dist/index.js');
</script>`;

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript', wav: 'audio/wav', ogg: 'audio/ogg' };

/** What stands before the worker's own script: each a browser that can do less. */
const POORER_WORKERS: Readonly<Record<string, string>> = {
	'worker-without-encoder.js': 'delete globalThis.AudioEncoder;',
	'worker-with-dying-encoder.js': `
		let frames = 0;
		const encode = AudioEncoder.prototype.encode;
		AudioEncoder.prototype.encode = function (audio) {
			if (++frames > 150) throw new Error('it broke');
			encode.call(this, audio);
		};`,
};

/** A packet that went up. */
export interface Arrival {
	readonly seq: number;
	/** By the clock of {@link performance}. */
	readonly atMilliseconds: number;
}

/** A gateway to a server. */
export class Gateway {
	/** All packets that went up, in order, those sent again too. */
	readonly arrivals: Arrival[] = [];
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

	/** The address of the server's own page, as it is seen through here. */
	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
	}

	/** The address of a page with nothing but the client library, as `globalThis.auricle`. */
	get libraryPage(): string {
		return this.url + HERE.slice(1);
	}

	/** The numbers of all packets that went up, in order, those sent again too. */
	get packets(): number[] {
		return this.arrivals.map(({ seq }) => seq);
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
		if (path.startsWith(HERE)) {
			const [type, body] = await ownFile(path.slice(HERE.length));
			answer.writeHead(200, { 'Content-Type': type }).end(body);
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
				const atMilliseconds = performance.now();
				this.arrivals.push(...packets.map(seq => ({ seq, atMilliseconds })));
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

/** Returns the type and text of something that is served here. */
async function ownFile(name: string): Promise<[string, string | Buffer]> {
	if (name === '') {
		return ['text/html', PAGE];
	}
	const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
	if (name === 'microphone.wav') {
		return [type, await readFile(FAKE_MICROPHONE)];
	}
	const poorer = POORER_WORKERS[name];
	if (poorer !== undefined) {
		return [type, `${poorer}\n${await readFile(new URL('worker.js', DIST), 'utf8')}`];
	}
	const [folder, file = ''] = name.split('/');
	return [type, await readFile(new URL(file, folder === 'dist' ? DIST : TESTDATA))];
}
