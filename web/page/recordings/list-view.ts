/** The list beside the transcript: files in work, transcripts of this browser and of the server, and their search. */

import { element, pressButton, setText } from '../dom.js';
import { FailedGroup } from './failed-group.js';
import { keptTime, type KeptTranscript } from '../kept.js';
import { fragmentOf } from '../place.js';
import { clock } from '../transcript.js';
import { jobSummary } from './job-view.js';
import type { Library, ListedTranscript } from './library.js';
import type { RecordingJob } from './recording-job.js';
import type { PlaceTexts } from './texts.js';

/** The server is asked when the user has stopped typing. */
const SEARCH_DELAY_MILLISECONDS = 300;

/** What the list shows besides the library. */
export interface ListContext {
	readonly library: Library;
	jobs(): readonly RecordingJob[];
	/** ID of the captions in the Live place. */
	liveId(): string;
	retry(job: RecordingJob): void;
	removeAll(ids: readonly string[]): void;
}

/** The list. */
export class ListView {
	readonly element = element('nav', 'column-list');
	readonly #fresh = element('a', 'button fresh');
	readonly #field = element('input', 'field');
	readonly #work = new Group();
	readonly #failed = new FailedGroup();
	readonly #here = new Group();
	readonly #server = new Group();
	readonly #empty = element('p', 'note');
	readonly #hint = element('p', 'note list-end');
	readonly #removeAll: HTMLButtonElement;
	readonly #context: ListContext;
	#texts: PlaceTexts;
	#shownId: string | null = null;
	#searching = new AbortController();
	#found: readonly ListedTranscript[] = [];

	/**
	 * @param texts - Texts of the list.
	 * @param context - What it shows.
	 */
	constructor(texts: PlaceTexts, context: ListContext) {
		this.#texts = texts;
		this.#context = context;
		this.#fresh.href = fragmentOf({ name: 'recordings', id: null });
		this.#field.type = 'search';
		this.#field.addEventListener('input', () => void this.#search());
		this.#removeAll = pressButton('small', () => {
			if (confirm(this.#texts.own.list.confirmAll)) {
				const live = this.#context.liveId();
				const { here } = this.#context.library.listed();
				this.#context.removeAll(here.map(({ id }) => id).filter(id => id !== live));
			}
		});
		this.element.append(this.#fresh, this.#field, this.#work.element, this.#failed.element);
		this.element.append(this.#here.element, this.#server.element, this.#empty);
		this.element.append(element('div', 'bar list-end', this.#hint, this.#removeAll));
		this.render(texts);
	}

	/** The query of the search. */
	get query(): string {
		return this.#field.value.trim();
	}

	/** Moves the focus to its first link. */
	focus(): void {
		this.#fresh.focus();
	}

	/** Marks the shown transcript; `null`: none. */
	set shownId(id: string | null) {
		this.#shownId = id;
		this.show();
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		const { list, fresh } = texts.own;
		this.element.setAttribute('aria-label', list.label);
		this.#fresh.textContent = fresh.link;
		this.#field.placeholder = list.search;
		this.#field.setAttribute('aria-label', list.search);
		this.#hint.textContent = list.keepHint;
		this.#removeAll.textContent = list.removeAll;
		this.show();
	}

	/** Shows the current state of all. */
	show(): void {
		const { library } = this.#context;
		const { list } = this.#texts.own;
		const { query } = this;
		const isSearch = query !== '';
		const all = library.listed();
		const here = isSearch ? library.search(query) : all.here;
		const server = isSearch ? this.#found : all.server;
		const jobs = isSearch ? [] : this.#context.jobs();
		const failed = jobs.filter(job => job.state.phase === 'failed');
		mark(this.#fresh, this.#shownId === null);
		this.#work.show(
			list.work,
			jobs.filter(job => !failed.includes(job)).map(job => this.#jobRow(job)),
		);
		const { job: texts } = this.#texts.own;
		this.#failed.show(
			list.failed,
			texts.retry,
			failed.map(job => ({
				id: job.id,
				link: this.#jobRow(job),
				retryLabel: texts.retryNamed(job.name),
				retry: job.retryNeeds === 'nothing' ? () => this.#context.retry(job) : null,
			})),
		);
		this.#here.show(
			list.here,
			here.map(each => this.#row(each)),
		);
		this.#server.show(
			list.server,
			server.map(each => this.#row(each)),
		);
		const isEmpty = here.length + server.length + jobs.length === 0;
		setText(this.#empty, isEmpty ? (isSearch ? list.noMatch : list.none) : '');
		this.#empty.hidden = !isEmpty;
		this.#field.hidden = !isSearch && all.here.length + all.server.length === 0;
		this.#hint.hidden = this.#removeAll.hidden = isSearch || all.here.length === 0;
	}

	async #search(): Promise<void> {
		this.#searching.abort();
		this.#searching = new AbortController();
		const { signal } = this.#searching;
		this.#found = [];
		this.show();
		const { query } = this;
		await new Promise(resolve => setTimeout(resolve, SEARCH_DELAY_MILLISECONDS));
		if (query !== '') {
			const found = await this.#context.library.searchServer(query, signal);
			if (!signal.aborted) {
				this.#found = found;
				this.show();
			}
		}
	}

	/** Moves the focus to a file in work. */
	focusJob({ id }: RecordingJob): void {
		const href = fragmentOf({ name: 'recordings', id });
		this.#work.element.querySelector<HTMLElement>(`a[href="${CSS.escape(href)}"]`)?.focus();
	}

	#jobRow(job: RecordingJob): HTMLAnchorElement {
		const { state } = job;
		const isFailed = state.phase === 'failed';
		const note = element('span', isFailed ? 'row-note bad' : 'row-note', jobSummary(state, this.#texts));
		const row = this.#link(job.id, job.name, note);
		if (!isFailed && state.phase !== 'waiting') {
			const bar = element('span', 'row-bar', element('i'));
			bar.style.setProperty('--share', String(state.share));
			row.append(bar);
		}
		return row;
	}

	#row({ id, kept, server, isOnServer, excerpt, matches }: ListedTranscript): HTMLElement {
		const { list } = this.#texts.own;
		const notes = [
			kept === null ? timeOf(1000 * (server?.startedAt ?? 0), this.#texts) : keptNote(kept, this.#texts),
		];
		if (kept !== null && isOnServer) {
			notes.push(list.alsoOnServer);
		}
		if (matches > 0) {
			notes.push(list.matches(matches));
		}
		if (id === this.#context.liveId()) {
			notes.push(list.isLive);
		}
		const title =
			kept === null ? (server?.source === 'job' ? list.serverJob : list.session) : titleOf(kept, this.#texts);
		const text = element('span', 'row-excerpt');
		text.append(...excerpt.map(part => (part.isMatch ? element('mark', '', part.text) : part.text)));
		return this.#link(id, title, element('span', 'row-note', notes.join(' · ')), text);
	}

	#link(id: string, title: string, ...content: Node[]): HTMLAnchorElement {
		const row = element('a', 'row', element('span', 'row-title', title), ...content);
		row.href = fragmentOf({ name: 'recordings', id });
		mark(row, id === this.#shownId);
		return row;
	}
}

/** A list of rows with a heading; hidden without rows. */
class Group {
	readonly element = element('section', 'row-group');
	readonly #title = element('h2');
	readonly #rows = element('ul');

	constructor() {
		this.element.append(this.#title, this.#rows);
	}

	/** Shows rows; the focused one keeps the focus. */
	show(title: string, rows: readonly HTMLElement[]): void {
		const focused = document.activeElement;
		const address =
			focused instanceof HTMLAnchorElement && this.element.contains(focused) ? focused.href : null;
		setText(this.#title, title);
		this.#rows.replaceChildren(...rows.map(row => element('li', '', row)));
		this.element.hidden = rows.length === 0;
		if (address !== null) {
			rows.find(row => row instanceof HTMLAnchorElement && row.href === address)?.focus();
		}
	}
}

function mark(link: HTMLElement, isCurrent: boolean): void {
	if (isCurrent) {
		link.setAttribute('aria-current', 'true');
	} else {
		link.removeAttribute('aria-current');
	}
}

/** Returns the title of a kept transcript. */
export function titleOf({ name }: KeptTranscript, texts: PlaceTexts): string {
	return name === '' ? texts.own.list.session : name;
}

/** Returns when a transcript was made, and how long it is. */
export function keptNote(kept: KeptTranscript, { language }: PlaceTexts): string {
	const end = kept.lines.reduce((latest, line) => Math.max(latest, line.endSeconds), 0);
	return `${keptTime(kept, language)} · ${clock(end)}`;
}

/** Returns a time in milliseconds since 1970 as a date and time. */
export function timeOf(time: number, { language }: PlaceTexts): string {
	return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(time);
}
