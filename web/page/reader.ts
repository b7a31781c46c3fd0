/**
 * Captions of a live session for those who read along: a second screen, a layer in OBS.
 *
 * Everything is in the fragment of the address, which browsers send to no server and no log holds:
 * `#session=ID&token=TOKEN&lines=3&size=4&background=transparent`.
 */

import { parseEvent } from '../src/events.js';
import { byId, setText } from './dom.js';
import { preferredLanguage } from './i18n.js';
import { type ReaderLine, ReaderLines } from './reader-lines.js';
import { readerOptions } from './reader-options.js';
import { READER_TEXTS, type ReaderState } from './reader-texts.js';

const RETRY_MILLISECONDS = 10_000;
/** Half a sentence is removed after this time without its speaker or the server, and a layer is cleared. */
const STALE_MILLISECONDS = 8_000;
const COLOURS = 8;

const { session, token, ...options } = readerOptions(location.hash);
const path = `./v1/sessions/${encodeURIComponent(session)}`;
/** Load balancers find the session's server by `session`. */
const query = { session, token };

const language = preferredLanguage();
const texts = READER_TEXTS[language];
const finals = byId('finals', HTMLElement);
const open = byId('open', HTMLElement);
const lines = new ReaderLines(options.lines);
const shown = new Map<ReaderLine, HTMLElement>();

document.documentElement.lang = language;
/** A layer over a picture shows no messages once it has shown captions. */
const isLayer = options.background !== null;
const { dataset, style } = document.documentElement;
dataset['layer'] = String(isLayer);
style.setProperty('--lines', String(options.lines));
style.setProperty('--size', String(options.sizePercent));
if (options.background !== null) {
	style.setProperty('--background', options.background);
}
setText(byId('title', HTMLElement), texts.title);
let state: ReaderState = 'connecting';
/** The server says so once, not on each connection. */
let isAway = false;
let staleTimer: ReturnType<typeof setTimeout> | undefined;
window.addEventListener('hashchange', () => location.reload());
if (session === '') {
	showState('noSession');
} else {
	connect();
}

function connect(): void {
	showState('connecting');
	// Also of a new connection after a lost one: the lines that are shown already are received once.
	const history = String(options.lines);
	const source = new EventSource(`${path}/events?${new URLSearchParams({ ...query, history })}`);
	source.addEventListener('open', () => showState(isAway ? 'away' : 'reading'));
	source.addEventListener('message', ({ data }: MessageEvent<string>) => {
		const next = stateAfter(data);
		if (next !== null) {
			isAway = next === 'away';
			showState(next);
			if (next !== 'away' && next !== 'reading') {
				source.close();
			}
			return;
		}
		const event = parseEvent(data);
		if (event !== null) {
			lines.receive(event);
			showFresh();
			show();
		}
	});
	source.addEventListener('error', () => {
		if (source.readyState === EventSource.CLOSED) {
			void learnWhy();
		} else {
			showState('reconnecting');
		}
	});
}

/** Returns the state after a message about the speaker or the end of the session. */
function stateAfter(data: string): 'away' | 'reading' | 'closed' | 'speaker_left' | 'draining' | null {
	const message = JSON.parse(data) as { type?: unknown; reason?: unknown };
	if (message.type === 'speaker_away') {
		return 'away';
	}
	if (message.type === 'speaker_back') {
		return 'reading';
	}
	if (message.type !== 'ended') {
		return null;
	}
	return message.reason === 'speaker_left' || message.reason === 'draining' ? message.reason : 'closed';
}

/** Finds out why the server refused the events: `EventSource` does not say. */
async function learnWhy(): Promise<void> {
	const parameters = new URLSearchParams({ ...query, follow: 'false', history: '0' });
	const answer = await fetch(`${path}/captions.vtt?${parameters}`).catch(() => null);
	if (answer?.status === 401) {
		showState('expired');
	} else if (answer?.status === 404) {
		showState('unknown');
	} else {
		showState('reconnecting');
		setTimeout(connect, RETRY_MILLISECONDS);
	}
}

function showState(next: ReaderState): void {
	state = next;
	if (state !== 'reading') {
		staleTimer ??= setTimeout(dropStale, STALE_MILLISECONDS);
	}
	const isHidden = isLayer && lines.finals.length > 0;
	setText(byId('state', HTMLElement), isHidden ? '' : texts.states[state]);
}

/** Removes what would otherwise stand there until the speaker and the server are back. */
function dropStale(): void {
	staleTimer = undefined;
	if (state !== 'reading') {
		lines.dropOpen();
		show();
		dataset['stale'] = String(isLayer);
	}
}

/** New text has come, which is shown with what came before. */
function showFresh(): void {
	clearTimeout(staleTimer);
	staleTimer = state === 'reading' ? undefined : setTimeout(dropStale, STALE_MILLISECONDS);
	dataset['stale'] = 'false';
}

/** Shows the lines; those that stay are not touched, so that they are not announced again. */
function show(): void {
	const elements = lines.finals.map(line => shown.get(line) ?? elementOf(line));
	shown.clear();
	lines.finals.forEach((line, index) => shown.set(line, elements[index] as HTMLElement));
	for (const old of [...finals.children].filter(child => !elements.includes(child as HTMLElement))) {
		old.remove();
	}
	elements.forEach((element, index) => {
		if (finals.children[index] !== element) {
			finals.insertBefore(element, finals.children[index] ?? null);
		}
	});
	open.replaceChildren(
		...lines.open.flatMap(({ stable, unstable }) => [
			span('stable', stable),
			span('unstable', unstable),
			' ',
		]),
	);
}

function elementOf({ text, language, speaker, name: known }: ReaderLine): HTMLElement {
	const line = document.createElement('p');
	if (language !== null) {
		line.lang = language;
	}
	if (speaker !== null) {
		const name = span('speaker', `${known ?? texts.speaker(speaker + 1)}: `);
		name.style.setProperty('--colour', `var(--speaker-${speaker % COLOURS})`);
		line.append(name);
	}
	line.append(text);
	return line;
}

function span(look: string, text: string): HTMLElement {
	const element = document.createElement('span');
	element.className = look;
	element.textContent = text;
	return element;
}
