// The official client for Node, by both transports; prints JSON.
// Arguments: the server's URL, key, clip, and a command with its arguments that serves stdio.
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, key, clip, command, ...args] = process.argv.slice(2);
const data = text => JSON.parse(text.split('\n')[2]);

const connect = async transport => {
	const client = new Client({ name: 'test', version: '1' });
	await client.connect(transport);
	return client;
};

const call = async (client, name, values) => {
	const result = await client.callTool({ name, arguments: values });
	if (result.isError) throw new Error(result.content[0].text);
	return data(result.content[0].text);
};

const overHttp = headers =>
	new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } });

const http = await connect(overHttp({ Authorization: `Bearer ${key}` }));
const audio = readFileSync(clip).toString('base64');
const made = await call(http, 'transcribe_audio', { audio_base64: audio, speakers: true, wait_s: 45 });

const env = { ...process.env, AURICLE_URL: url, AURICLE_API_KEY: key };
const stdio = await connect(new StdioClientTransport({ command, args, env }));
const found = await call(stdio, 'search_transcripts', { query: 'country' });
const uri = `auricle://transcripts/${made.transcript_id}`;
const read = data((await stdio.readResource({ uri })).contents[0].text);
const prompt = await stdio.getPrompt({
	name: 'summarise_transcript',
	arguments: { transcript_id: made.transcript_id },
});

const refused = await connect(overHttp({})).catch(error => String(error));
const tools = await Promise.all([http, stdio].map(async client => (await client.listTools()).tools.length));
await Promise.all([http.close(), stdio.close()]);
console.log(JSON.stringify({ made, found, read, prompt: prompt.messages[0].content.text, refused, tools }));
