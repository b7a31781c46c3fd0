/** The main column with a transcript: its head, speakers, player and text. */

import { ApiError, type KeptTranscript as ServerTranscript } from '../../src/index.js';
import { problem, type Sentence } from '../caption-texts.js';
import { Claim } from '../claim.js';
import { editedText, element, pressButton, setText } from '../dom.js';
import { keptTime, type KeptTranscript } from '../kept.js';
import { languageName } from '../languages.js';
import { SpeakerNames } from '../speaker-names.js';
import { clock, isGap, type TranscriptLine } from '../transcript.js';
import { ExportMenu } from '../export-menu.js';
import { foldedInto } from './brief-speakers.js';
import type { Deleted } from './deletions.js';
import { EDIT_TEXTS } from './edit-texts.js';
import { Finder } from './finder.js';
import { History } from './history.js';
import type { KnownVoices } from './known-voices.js';
import type { Library } from './library.js';
import { LinesView } from './lines-view.js';
import { askParagraph } from './paragraph-dialog.js';
import { canJoin, given, joined, newSpeaker, spanOf, splitAt, wordAt } from './paragraph-edits.js';
import { Player } from './player.js';
import { linesOfKept } from './result-lines.js';
import { type ServerEdits, serverEdits } from './server-edits.js';
import { SpeakerChips } from './speaker-chips.js';
import { askSpeaker } from './speaker-dialog.js';
import { type SpeakerShare, speakerShares } from './speaker-shares.js';
import type { PlaceTexts } from './texts.js';
import { Timeline, type WordPlace } from './timeline.js';
import type { WordBar, WordBarContext, WordBarSource } from '../vocabularies/word-bar.js';
import { timedWords, withText } from './words.js';

const STEP_SECONDS = 5;

/** What the view uses of the place around it. */
export interface TranscriptContext {
	readonly library: Library;
	readonly voices: KnownVoices;
	/** Whether the Live place shows these captions. */
	isLive(id: string): boolean;
	/** Whether the Live place adds captions. */
	isListening(): boolean;
	/** Takes captions out of the Live place; returns whether that is possible now. */
	releaseLive(): boolean;
	continueLive(transcript: KeptTranscript): void;
	showProblem(sentence: Sentence | null): void;
	/** The transcript was changed: lists show it. */
	changed(): void;
	/** Deletes the transcript, unless the user takes that back. */
	remove(deleted: Deleted): void;
	/** The server has deleted the transcript. */
	removed(): void;
	/** What adds words to a vocabulary. */
	readonly words: WordBarContext & WordBarSource;
}

/** A transcript of this browser, or only of the server; `kept` has the ID of the place's address. */
export interface ShownTranscript {
	readonly kept: KeptTranscript;
	readonly server: ServerTranscript | null;
}

interface Version {
	readonly name: string;
	readonly lines: readonly TranscriptLine[];
}

/** The view of one transcript. */
export class TranscriptView {
	readonly element = element('article', 'recording');
	readonly #title = element('h2', 'recording-title');
	readonly #note = element('p', 'note');
	readonly #status = element('p', 'recording-status note');
	readonly #statusBar = element('div', 'bar');
	readonly #moveHere: HTMLButtonElement;
	readonly #edit: HTMLButtonElement;
	readonly #undo: HTMLButtonElement;
	readonly #continue: HTMLButtonElement;
	readonly #remove: HTMLButtonElement;
	readonly #exports: ExportMenu;
	readonly #finder: Finder;
	readonly #speakers: SpeakerChips;
	readonly #media = element('div', 'media');
	readonly #hint = element('p', 'note player-hint');
	readonly #text: LinesView;
	readonly #context: TranscriptContext;
	readonly #claim: Claim;
	readonly #history: History<Version>;
	#kept: KeptTranscript;
	#server: ServerTranscript | null;
	/** The edits that were sent to the server last: each waits for those before it. */
	#sending: Promise<void> = Promise.resolve();
	#texts: PlaceTexts;
	#timeline: Timeline;
	#player: Player | null = null;
	#words: WordBar | null = null;
	#isMediaMissing = false;
	#isUnplayable = false;
	#isMine = false;
	#isEditing = false;
	#isClosed = false;

	/**
	 * @param texts - Texts of the view.
	 * @param shown - The transcript.
	 * @param context - The place around it.
	 */
	constructor(texts: PlaceTexts, shown: ShownTranscript, context: TranscriptContext) {
		this.#texts = texts;
		this.#kept = shown.kept;
		this.#server = shown.server;
		this.#context = context;
		this.#claim = new Claim(shown.kept.id);
		this.#history = new History<Version>({ name: shown.kept.name, lines: shown.kept.lines });
		this.#timeline = new Timeline(shown.kept.lines);
		this.#moveHere = pressButton('small', () => {
			if (context.releaseLive()) {
				void this.#takeClaim();
			}
		});
		this.#edit = pressButton('small', () => this.#setEditing(!this.#isEditing));
		this.#undo = pressButton('small', () => {
			this.#history.undo();
			this.#changed();
			this.#show();
		});
		this.#continue = pressButton('small', () => context.continueLive(this.#kept));
		this.#remove = pressButton('small danger', () => this.#delete());
		this.#exports = new ExportMenu(texts.page, () => ({
			title: this.#name,
			note: this.#summary,
			lines: this.#lines,
		}));
		this.#text = new LinesView(texts, {
			play: seconds => this.#player?.playFrom(seconds),
			edited: (line, text) => this.#editLine(line, text),
			speakerPressed: speaker => void this.#changeSpeaker(speaker),
			paragraphPressed: line => void this.#changeParagraph(line),
			splitBefore: place => void this.#apply(splitAt(this.#lines, place), this.#secondsAt(place)),
			joinPressed: line => this.#join(line),
		});
		this.#speakers = new SpeakerChips({
			pressed: speaker => void this.#changeSpeaker(speaker),
			fold: brief => void this.#apply(foldedInto(this.#lines, brief)),
		});
		this.#finder = new Finder(texts, this.#text);
		this.#bind();
		const tools = element('div', 'tools', this.#edit, this.#undo, this.#exports.element);
		tools.append(this.#continue, this.#remove);
		const head = element('div', 'recording-head', this.#title, this.#note);
		const bar = element('div', 'recording-bar', this.#finder.element, this.#media);
		this.#statusBar.append(this.#status, this.#moveHere);
		this.element.append(head, element('div', 'recording-tools', tools));
		this.element.append(this.#statusBar);
		this.element.append(this.#speakers.element, bar, this.#text.element);
		this.render(texts);
		void this.#takeClaim();
		void this.#loadMedia();
		void this.#loadWords();
	}

	/** ID in the place's address. */
	get id(): string {
		return this.#kept.id;
	}

	/** Moves the focus to its title. */
	focus(): void {
		this.#title.focus();
	}

	/** Shows the server's transcript as it is now; a copy in this browser stays. */
	async reload(): Promise<void> {
		if (this.#server !== null && (await this.#read(this.#server.id))) {
			this.#show();
		}
	}

	/** Finds words in it, and goes to the first of them, with the player. */
	find(query: string): void {
		this.#finder.find(query);
		this.#seekToFound();
	}

	/** Shows another version of another tab, or of the Live place; ignored while it is edited here. */
	update(kept: KeptTranscript): void {
		if (!this.#isMine && kept.changedAt !== this.#kept.changedAt) {
			this.#kept = kept;
			this.#history.replace({ name: kept.name, lines: kept.lines });
			this.#show();
		}
		this.#showButtons();
		if (!this.#isMine && !this.#context.isLive(kept.id)) {
			void this.#takeClaim();
		}
	}

	/** Shows whether the server has it, too: the list of the server has changed, or what it offers is known now. */
	serverChanged(): void {
		this.#showStatus(this.#context.isLive(this.id));
		void this.#loadWords();
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		const { transcript } = texts.own;
		this.#moveHere.textContent = transcript.moveHere;
		this.#undo.textContent = transcript.undo;
		this.#continue.textContent = transcript.continueLive;
		this.#remove.textContent = transcript.remove;
		this.#exports.render(texts.page);
		this.#finder.render(texts);
		this.#words?.render(texts.language);
		this.#player?.render(texts);
		this.#renderMedia();
		this.#show();
	}

	/** Ends the player, and lets other tabs edit the transcript. */
	close(): void {
		this.#isClosed = true;
		if (document.activeElement instanceof HTMLElement && this.element.contains(document.activeElement)) {
			document.activeElement.blur(); // keeps what is being edited
		}
		this.#finder.close();
		this.#words?.close();
		this.#player?.close();
		this.#claim.release();
	}

	get #lines(): readonly TranscriptLine[] {
		return this.#history.value.lines;
	}

	get #name(): string {
		const { name } = this.#history.value;
		return name === '' ? this.#texts.own.list.session : name;
	}

	get #endSeconds(): number {
		return this.#lines.reduce((latest, line) => Math.max(latest, line.endSeconds), 0);
	}

	/** Date, duration, languages and model. */
	get #summary(): string {
		const { language } = this.#texts;
		const codes = new Set(this.#lines.flatMap(line => (isGap(line) ? [] : (line.language ?? []))));
		const languages = [...codes].map(code => languageName(code, language)).join(', ');
		const parts = [
			keptTime(this.#kept, language),
			clock(this.#endSeconds),
			languages,
			this.#kept.model ?? '',
		];
		return parts.filter(part => part !== '').join(' · ');
	}

	#bind(): void {
		this.#title.tabIndex = -1;
		this.#title.addEventListener('keydown', event => {
			if (event.key === 'Escape') {
				this.#title.textContent = this.#name;
			}
			if (event.key === 'Escape' || event.key === 'Enter') {
				event.preventDefault();
				this.#title.blur();
			}
		});
		this.#title.addEventListener('blur', () => {
			const name = editedText(this.#title);
			if (this.#isEditing && name !== '' && name !== this.#name) {
				this.#push({ name, lines: this.#lines });
			}
			this.#title.textContent = this.#name;
		});
		this.#text.element.addEventListener('keydown', event => this.#press(event));
	}

	/** Keys of the player, while the text has the focus. */
	#press(event: KeyboardEvent): void {
		const player = this.#player;
		if (player === null || this.#isEditing || event.altKey || event.ctrlKey || event.metaKey) {
			return;
		}
		const paragraph = (by: -1 | 1): void => {
			const start = this.#text.paragraphStart(player.seconds, by);
			if (start !== null) {
				player.seek(start);
			}
		};
		const actions: Readonly<Record<string, () => void>> = {
			' ': () => player.toggle(),
			ArrowLeft: () => player.seek(player.seconds - STEP_SECONDS),
			ArrowRight: () => player.seek(player.seconds + STEP_SECONDS),
			ArrowUp: () => paragraph(-1),
			ArrowDown: () => paragraph(1),
		};
		const action = actions[event.key];
		const isOnSpeaker = event.target instanceof Element && event.target.closest('button.speaker') !== null;
		if (action !== undefined && !(isOnSpeaker && event.key === ' ')) {
			event.preventDefault();
			action();
		}
	}

	async #takeClaim(): Promise<void> {
		if (this.#context.isLive(this.id)) {
			return;
		}
		this.#isMine = await this.#claim.take();
		if (!this.#isMine) {
			this.#claim.release(); // the next update tries again
		}
		if (!this.#isClosed) {
			this.#show();
		}
	}

	async #loadMedia(): Promise<void> {
		if (this.#kept.kind === 'captions') {
			return;
		}
		const file = await this.#context.library.media(this.id);
		if (this.#isClosed) {
			return;
		}
		if (file === null) {
			this.#isMediaMissing = true;
			this.#renderMedia();
		} else {
			this.#play(file);
		}
	}

	/** Loads what adds words to a vocabulary, if the server has any. */
	async #loadWords(): Promise<void> {
		const loaded = this.#needsWords
			? await this.#context.words.load().catch(() => null) // the next change tries again
			: null;
		if (loaded !== null && this.#needsWords) {
			this.#words = new loaded.WordBar(this.#texts.language, this.#text.element, this.#context.words);
			this.element.append(this.#words.element);
		}
	}

	get #needsWords(): boolean {
		return this.#words === null && !this.#isClosed && this.#context.words.isOffered();
	}

	#play(file: Blob): void {
		this.#isMediaMissing = false;
		this.#player = new Player(this.#texts, file, this.#endSeconds, {
			moved: (seconds, isPlaying) => this.#follow(seconds, isPlaying),
			failed: () => {
				this.#player = null;
				this.#isUnplayable = true;
				this.#renderMedia();
				this.#show();
			},
		});
		this.#seekToFound();
		this.#renderMedia();
		this.#show();
	}

	/** Moves the player to what was found, from where it plays then. */
	#seekToFound(): void {
		const found = this.#finder.held;
		const line = found === null ? undefined : this.#lines[found.line];
		if (this.#player !== null && found !== null && line !== undefined && !isGap(line)) {
			const word = wordAt(line, found.start);
			this.#player.seek(this.#secondsAt({ line: found.line, word: word ?? 0 }));
		}
	}

	#renderMedia(): void {
		const { player } = this.#texts.own;
		if (this.#player !== null) {
			if (this.#player.element.parentElement !== this.#media) {
				this.#media.replaceChildren(this.#player.element, this.#hint);
			}
			this.#hint.textContent = player.hint;
		} else if (this.#isUnplayable) {
			this.#media.replaceChildren(element('p', 'note', player.unplayable));
		} else if (this.#isMediaMissing) {
			const chooser = element('input');
			chooser.type = 'file';
			chooser.accept = 'audio/*,video/*';
			chooser.addEventListener('change', () => {
				const [file] = chooser.files ?? [];
				if (file !== undefined) {
					void this.#context.library.attach(this.id, file);
					this.#play(file);
				}
			});
			const choose = element('label', 'button small', player.choose, chooser);
			this.#media.replaceChildren(element('p', 'note', player.missing), choose);
		}
	}

	/** Lights up the word of a time; while it plays, keeps it in view unless the user has scrolled away. */
	#follow(seconds: number, isPlaying: boolean): void {
		const before = this.#text.element.querySelector('.now');
		const wasVisible = before === null || isVisible(before);
		const now = this.#text.mark(this.#timeline.at(seconds));
		if (isPlaying && now !== before && now !== null && wasVisible && !isVisible(now)) {
			now.scrollIntoView({ block: 'center' });
		}
	}

	#show(): void {
		const { transcript } = this.#texts.own;
		const isLive = this.#context.isLive(this.id);
		const canEdit = this.#isMine && !isLive;
		setText(this.#title, this.#name);
		this.#title.contentEditable = this.#isEditing ? 'plaintext-only' : 'false';
		if (this.#isEditing) {
			this.#title.setAttribute('aria-label', transcript.name);
		} else {
			this.#title.removeAttribute('aria-label');
		}
		this.#note.textContent = this.#summary;
		this.#showButtons();
		this.#showStatus(isLive);
		this.#speakers.show(this.#texts, this.#shares, this.#lines, canEdit);
		this.#text.show(this.#texts, this.#lines, {
			isEditing: this.#isEditing,
			canPlay: this.#player !== null,
			canRename: canEdit,
		});
		this.#text.element.setAttribute('aria-label', this.#name);
		this.#timeline = new Timeline(this.#lines);
		this.#finder.refresh();
		if (this.#player !== null) {
			this.#follow(this.#player.seconds, false);
		}
	}

	#showButtons(): void {
		const { transcript } = this.#texts.own;
		const isLive = this.#context.isLive(this.id);
		const canEdit = this.#isMine && !isLive;
		this.#edit.hidden = !canEdit;
		this.#edit.textContent = this.#isEditing ? transcript.editEnd : transcript.edit;
		this.#edit.setAttribute('aria-pressed', String(this.#isEditing));
		this.#undo.hidden = !this.#history.canUndo || !canEdit;
		this.#continue.hidden = this.#kept.kind !== 'captions' || this.#server !== null || isLive || !canEdit;
		this.#remove.hidden = isLive || !canEdit;
		this.#continue.disabled = this.#context.isListening();
		this.#moveHere.hidden = !isLive;
		this.#moveHere.disabled = this.#context.isListening();
	}

	#showStatus(isLive: boolean): void {
		const { transcript } = this.#texts.own;
		let status = '';
		if (isLive) {
			status = transcript.isLive;
		} else if (!this.#isMine) {
			status = transcript.isElsewhere;
		} else if (this.#isEditing) {
			status = `${transcript.editHint} ${EDIT_TEXTS[this.#texts.language].paragraph.keys}`;
		} else if (this.#server !== null) {
			status = transcript.onServer;
		} else if (this.#lines.length === 0) {
			status = transcript.empty;
		} else if (this.#lines.some(isGap)) {
			status = transcript.hasGaps;
		} else if (this.#context.library.copiesOnServer(this.#kept).length > 0) {
			status = transcript.alsoOnServer;
		}
		setText(this.#status, status);
		this.#statusBar.hidden = status === '';
	}

	get #shares(): SpeakerShare[] {
		return speakerShares(this.#lines, { speaker: this.#texts.page.speakers.name });
	}

	#setEditing(isEditing: boolean): void {
		this.#isEditing = isEditing;
		this.#show();
	}

	#editLine(index: number, text: string): void {
		const lines = [...this.#lines];
		const line = lines[index];
		if (line === undefined || isGap(line)) {
			return;
		}
		if (text === '') {
			lines.splice(index, 1);
			this.#push({ name: this.#history.value.name, lines });
			this.#show();
			return;
		}
		this.#words?.corrected(line.text, text);
		lines[index] = withText(line, text);
		this.#push({ name: this.#history.value.name, lines });
		this.#text.exchange(lines); // the focus may be in the next sentence already
		this.#undo.hidden = false;
	}

	async #changeSpeaker(number: number): Promise<void> {
		const shares = this.#shares;
		const speaker = shares.find(share => share.number === number);
		if (speaker === undefined) {
			return;
		}
		const others = shares.filter(share => share !== speaker);
		const { voices } = this.#context;
		const id = this.#idOnServer;
		const change = await askSpeaker(this.#texts, speaker, others, voices.canRemember && id !== null);
		if (change === null) {
			return;
		}
		const names = new SpeakerNames();
		names.open(this.#lines);
		const name =
			'name' in change ? change.name : (others.find(each => each.number === change.mergeInto)?.name ?? '');
		const usual = (each: number): string => this.#texts.page.speakers.name(each + 1);
		await this.#apply(names.rename(this.#lines, number, name, usual));
		if (id !== null && 'name' in change && change.isRemembered === true) {
			try {
				await voices.remember(name, id, number);
			} catch (error) {
				const isGone = error instanceof ApiError && error.code === 'not_found';
				this.#context.showProblem(isGone ? problem('voice_gone') : serverProblem(error));
			}
		}
	}

	/** ID of the server's transcript whose speakers have the same numbers; `null` if there is none. */
	get #idOnServer(): string | null {
		const copies = this.#context.library.copiesOnServer(this.#kept);
		return this.#server?.id ?? (copies.length === 1 ? (copies[0] ?? null) : null);
	}

	async #changeParagraph(line: number): Promise<void> {
		const lines = this.#lines;
		const first = lines[line];
		if (first === undefined || isGap(first)) {
			return;
		}
		const span = spanOf(lines, line);
		const answer = await askParagraph(this.#texts, {
			lines,
			span,
			speaker: first.speaker ?? null,
			speakers: this.#shares,
			canJoin: canJoin(lines, span),
		});
		if (answer === 'join') {
			this.#join(line);
		} else if (answer !== null && lines === this.#lines) {
			const { splitAt: place, speaker } = answer;
			const seconds = place === null ? first.startSeconds : this.#secondsAt(place);
			const split = place === null ? lines : splitAt(lines, place);
			const at = place === null ? line : place.line + (place.word > 0 ? 1 : 0);
			const number = speaker === 'new' ? newSpeaker(lines) : speaker;
			await this.#apply(number === null ? split : given(split, spanOf(split, at), number), seconds);
		}
	}

	#join(line: number): void {
		const span = spanOf(this.#lines, line);
		if (canJoin(this.#lines, span)) {
			const { startSeconds = 0 } = this.#lines[line] ?? {};
			void this.#apply(joined(this.#lines, span), startSeconds);
		}
	}

	#secondsAt({ line, word }: WordPlace): number {
		const found = this.#lines[line];
		return found === undefined || isGap(found) ? 0 : (timedWords(found)[word]?.startSeconds ?? 0);
	}

	/** Changes speakers and paragraphs: of a transcript that only the server has, there; then shows the part at a time. */
	async #apply(lines: readonly TranscriptLine[], seconds: number | null = null): Promise<void> {
		if (this.#server === null) {
			this.#push({ name: this.#history.value.name, lines });
		} else if (!(await this.#changeOnServer(this.#server, serverEdits(this.#lines, lines)))) {
			return;
		}
		this.#show();
		if (seconds !== null) {
			this.#text.focusAt(seconds);
		}
	}

	/** Returns whether the server has made the edits; its transcript is shown then. */
	async #changeOnServer({ id }: ServerTranscript, edits: ServerEdits): Promise<boolean> {
		const { server } = this.#context.library;
		try {
			await server.edit(id, edits);
		} catch (error) {
			this.#context.showProblem(serverProblem(error));
			return false;
		}
		return await this.#read(id);
	}

	/** Reads the server's transcript; returns whether it is still there. */
	async #read(id: string): Promise<boolean> {
		this.#server = await this.#context.library.server.find(id);
		if (this.#server === null) {
			this.#context.removed();
			return false;
		}
		const lines = linesOfKept(this.#server);
		this.#kept = { ...this.#kept, lines };
		this.#history.replace({ name: this.#kept.name, lines });
		return true;
	}

	/** Gives the server's transcript the same speakers and paragraphs; of several, it is unclear whose they are. */
	async #editOnServer(edits: ServerEdits): Promise<void> {
		const { library } = this.#context;
		const [id, ...others] = library.copiesOnServer(this.#kept);
		if (id === undefined || others.length > 0) {
			return;
		}
		try {
			await library.server.edit(id, edits);
		} catch (error) {
			this.#context.showProblem(serverProblem(error));
		}
	}

	/** Keeps another version; the first one of a transcript of the server becomes a copy in this browser. */
	#push(version: Version): void {
		this.#history.push(version);
		this.#changed();
	}

	#changed(): void {
		const { createdAt = this.#kept.changedAt, lines } = this.#kept;
		this.#server = null;
		this.#kept = { ...this.#kept, ...this.#history.value, createdAt, changedAt: Date.now() };
		void this.#context.library.keep(this.#kept);
		const edits = serverEdits(lines, this.#lines);
		this.#sending = this.#sending.then(() => this.#editOnServer(edits));
		this.#context.changed();
	}

	#delete(): void {
		const isHere = this.#server === null;
		this.#context.remove({
			ids: isHere ? [this.id] : [],
			onServer: this.#server === null ? this.#context.library.copiesOnServer(this.#kept) : [this.#server.id],
			name: this.#name,
		});
	}
}

/** Returns a sentence on why the server did not do something. */
export function serverProblem(error: unknown): Sentence {
	const isRefused = error instanceof ApiError && error.code !== 'unreachable';
	return problem(isRefused ? error.code : 'offline');
}

function isVisible(element: Element): boolean {
	const { top, bottom } = element.getBoundingClientRect();
	return bottom > 0 && top < innerHeight;
}
