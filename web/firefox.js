#!/usr/bin/env node
/**
 * Starts Firefox for Playwright, which requests colour schemes from browsers that can't be told one yet, Debian's Firefox
 * 153 among them: such a request succeeds here, and changes nothing.
 */

import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const HANDSHAKE_END = '\r\n\r\n';
const LISTENING = /^(WebDriver BiDi listening on ws:\/\/127\.0\.0\.1):(\d+)/;
const UNSUPPORTED = 'emulation.setMediaFeaturesOverride';

const firefox = spawn(process.env.FIREFOX ?? '/usr/bin/firefox-esr', process.argv.slice(2), {
	stdio: ['ignore', 'inherit', 'pipe'],
});
firefox.on('exit', code => process.exit(code ?? 1));
createInterface(firefox.stderr).on('line', line => {
	const [, words, port] = LISTENING.exec(line) ?? [];
	if (port === undefined) {
		console.error(line);
		return;
	}
	const server = createServer(client => relay(client, Number(port)));
	server.listen(0, '127.0.0.1', () => console.error(`${words}:${server.address().port}`));
});

/** Passes on what Playwright sends, to the port that Firefox expects in it, and the replies. */
function relay(client, port) {
	const browser = connect(port, '127.0.0.1');
	for (const [end, other] of [
		[client, browser],
		[browser, client],
	]) {
		end.on('close', () => other.destroy());
		end.on('error', () => other.destroy());
	}
	client.once('data', handshake => {
		browser.write(String(handshake).replace(/^Host: .*$/m, `Host: 127.0.0.1:${port}`));
		client.pipe(browser);
	});
	let received = Buffer.alloc(0);
	let isOpen = false;
	browser.on('data', data => {
		received = Buffer.concat([received, data]);
		if (!isOpen) {
			const end = received.indexOf(HANDSHAKE_END) + HANDSHAKE_END.length;
			if (end < HANDSHAKE_END.length) return;
			client.write(received.subarray(0, end));
			received = received.subarray(end);
			isOpen = true;
		}
		for (let frame = firstFrame(received); frame !== null; frame = firstFrame(received)) {
			client.write(replaced(frame));
			received = received.subarray(frame.bytes.length);
		}
	});
}

/** Returns the first frame (RFC 6455 §5.2) and its payload; `null` until all of it is there. */
function firstFrame(bytes) {
	const short = bytes[1];
	const header = short === 127 ? 10 : short === 126 ? 4 : 2;
	if (bytes.length < header) {
		return null;
	}
	const length =
		short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
	const end = header + length;
	return bytes.length < end ? null : { bytes: bytes.subarray(0, end), payload: bytes.subarray(header, end) };
}

/** Returns a frame, or a reply of success in the place of an error about the command. */
function replaced({ bytes, payload }) {
	if (payload.length > 2000 || !payload.includes(UNSUPPORTED)) {
		return bytes;
	}
	const { id, type } = JSON.parse(payload);
	if (type !== 'error') {
		return bytes;
	}
	const reply = Buffer.from(JSON.stringify({ type: 'success', id, result: {} }));
	return Buffer.concat([Buffer.from([0x81, reply.length]), reply]);
}
