/** The main column while a file is in work: progress with an estimate, the text so far, or the error. */

import { problem } from '../caption-texts.js';
import { element, pressButton, setText } from '../dom.js';
import { coarse } from './estimate.js';
import type { JobState, RecordingJob } from './recording-job.js';
import { duration, percent, type PlaceTexts } from './texts.js';

/** What the buttons of the view do. */
export interface JobActions {
	cancel(job: RecordingJob): void;
	retry(job: RecordingJob): void;
}

/** Returns the state of a job in one sentence. */
export function jobSummary(state: JobState, texts: PlaceTexts): string {
	const { job } = texts.own;
	switch (state.phase) {
		case 'waiting':
			return job.waiting;
		case 'failed':
			return problem(state.code)(texts.page);
	}
	if (state.problem !== null) {
		return job.again(problem(state.problem)(texts.page));
	}
	const time = (seconds: number): string => {
		const { value, unit } = coarse(seconds);
		return duration(value, unit, texts.language);
	};
	const share = percent(state.share, texts.language);
	switch (state.phase) {
		case 'uploading':
			return job.uploading(share);
		case 'queued':
			return state.startsInSeconds === null ? job.queued : job.queuedFor(time(state.startsInSeconds));
		case 'running': {
			const running = job.running(share);
			return state.remainingSeconds === null ? running : job.left(running, time(state.remainingSeconds));
		}
	}
}

/** The view of one file. */
export class JobView {
	readonly element = element('article', 'recording work');
	readonly #job: RecordingJob;
	readonly #title = element('h2', 'recording-title');
	readonly #error = element('div', 'notice');
	readonly #errorTitle = element('strong');
	readonly #errorText = element('span');
	readonly #state = element('p', 'work-state');
	readonly #progress = element('progress');
	readonly #textTitle = element('h3');
	readonly #text = element('p', 'so-far');
	readonly #cancel: HTMLButtonElement;
	readonly #retry: HTMLButtonElement;
	#texts: PlaceTexts;

	/**
	 * @param texts - Texts of the view.
	 * @param job - The file.
	 * @param actions - What the buttons do.
	 */
	constructor(texts: PlaceTexts, job: RecordingJob, actions: JobActions) {
		this.#texts = texts;
		this.#job = job;
		this.#title.textContent = job.name;
		this.#title.tabIndex = -1;
		this.#state.setAttribute('role', 'status');
		this.#error.setAttribute('role', 'alert');
		this.#error.dataset['kind'] = 'error';
		this.#error.append(this.#errorTitle, ' ', this.#errorText);
		this.#cancel = pressButton('', () => actions.cancel(job));
		this.#retry = pressButton('primary', () => actions.retry(job));
		const buttons = element('div', 'tools', this.#retry, this.#cancel);
		this.element.append(this.#title, this.#error, this.#state, this.#progress);
		this.element.append(this.#textTitle, this.#text, buttons);
		this.render(texts);
	}

	/** Moves the focus to its title. */
	focus(): void {
		this.#title.focus();
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		const { job } = texts.own;
		this.#errorTitle.textContent = job.failed;
		this.#retry.textContent = job.retry;
		this.#textTitle.textContent = job.soFar;
		this.#progress.setAttribute('aria-label', job.progress(this.#job.name));
		this.show();
	}

	/** Shows the current state. */
	show(): void {
		const { state, name } = this.#job;
		const { job } = this.#texts.own;
		const isFailed = state.phase === 'failed';
		const summary = jobSummary(state, this.#texts);
		this.#error.hidden = !isFailed;
		setText(this.#errorText, isFailed ? summary : '');
		setText(this.#state, isFailed ? '' : summary);
		this.#progress.hidden = this.#state.hidden = isFailed;
		if (state.phase === 'waiting' || state.phase === 'queued') {
			this.#progress.removeAttribute('value');
		} else if (state.phase !== 'failed') {
			this.#progress.value = state.share;
		}
		const text = 'text' in state ? state.text : '';
		setText(this.#text, text);
		this.#textTitle.hidden = this.#text.hidden = text === '';
		this.#retry.hidden = !this.#job.canRetry;
		setText(this.#cancel, isFailed ? job.remove : job.cancel);
		this.#cancel.setAttribute('aria-label', isFailed ? job.removeNamed(name) : job.cancelNamed(name));
	}
}
