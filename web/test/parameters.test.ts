import { expect, test } from 'vitest';
import { checkParameters, streamUrl, type StreamParameters } from '../src/parameters.js';

const BAD = expect.objectContaining({ code: 'bad_parameters' }) as Error;

test.each<StreamParameters>([
	{},
	{ prompt: 'x'.repeat(10_000) },
	{ prompt: null, language: null },
	{ hotwords: Array<string>(500).fill('y'.repeat(100)) },
	{ endpointMilliseconds: 100 },
	{ endpointMilliseconds: 5000 },
	{ speakers: true, numSpeakers: 16 },
	{ maxLagSeconds: 1 },
	{ maxLagSeconds: 60 },
])('accepts parameters that the server accepts (%#)', asked => {
	expect(() => checkParameters(asked)).not.toThrow();
});

test.each<StreamParameters>([
	{ prompt: 'x'.repeat(10_001) },
	{ hotwords: Array<string>(501).fill('y') },
	{ hotwords: ['y'.repeat(101)] },
	{ endpointMilliseconds: 99 },
	{ endpointMilliseconds: 5001 },
	{ endpointMilliseconds: 500.5 },
	{ endpointMilliseconds: NaN },
	{ numSpeakers: 0 },
	{ numSpeakers: 17 },
	{ maxLagSeconds: 0.9 },
	{ maxLagSeconds: 61 },
	{ maxLagSeconds: NaN },
])('rejects parameters that the server would reject (%#)', asked => {
	expect(() => checkParameters(asked)).toThrow(BAD);
});

test.each([
	['http://127.0.0.1:6007', 'ws://127.0.0.1:6007/v1/stream'],
	['https://captions.example/', 'wss://captions.example/v1/stream'],
	['https://captions.example/here/', 'wss://captions.example/here/v1/stream'],
	['wss://captions.example/v1/stream', 'wss://captions.example/v1/stream'],
	['ws://localhost:1/?x=1#y', 'ws://localhost:1/v1/stream'],
])('resolves %s to %s', (base, stream) => {
	expect(streamUrl(base).href).toBe(stream);
});

test.each(['', 'captions.example', 'ftp://captions.example', '/v1/stream'])(
	'"%s" is not a valid address',
	url => {
		expect(() => streamUrl(url)).toThrow(BAD);
	},
);
