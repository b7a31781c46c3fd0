/** The main column while a file is in work: progress with an estimate, the text so far, or the error. */

import { problem } from '../caption-texts.js';
import { element, pressButton, setText } from '../dom.js';
import { coarse } from './estimate.js';
import type { JobState, RecordingJob } from './recording-job.js';
import { duration, percent, type PlaceTexts } from './texts.js';

/** A whole percent of a job takes seconds from here on: tenths show that it moves. */
const LONG_SECONDS = 300;

/** What the buttons of the view do. */
export interface JobActions {
	cancel(job: RecordingJob): void;
	/** Transcribes a failed file again; `file`: the user has chosen it again. */
	retry(job: RecordingJob, file?: File): void;
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
			const { remaining } = state;
			if (remaining === null) {
				return job.running(share);
			}
			const isLong = remaining.seconds > LONG_SECONDS;
			const running = job.running(percent(state.share, texts.language, isLong ? 1 : 0));
			const left = job.left(running, time(remaining.seconds));
			return remaining.isSlower ? job.slower(left) : left;
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
	readonly #gone = element('p', 'note');
	readonly #state = element('p', 'work-state');
	/** The state for screen readers, without what changes every second. */
	readonly #announced = element('p', 'unseen');
	readonly #progress = element('progress');
	readonly #textTitle = element('h3');
	readonly #text = element('p', 'so-far');
	readonly #cancel: HTMLButtonElement;
	readonly #retry: HTMLButtonElement;
	readonly #file = element('input');
	readonly #chooseText = element('span');
	readonly #choose = element('label', 'button primary', this.#chooseText, this.#file);
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
		this.#announced.setAttribute('role', 'status');
		this.#error.setAttribute('role', 'alert');
		this.#error.dataset['kind'] = 'error';
		this.#error.append(this.#errorTitle, ' ', this.#errorText);
		this.#cancel = pressButton('', () => actions.cancel(job));
		this.#retry = pressButton('primary', () => actions.retry(job));
		this.#file.type = 'file';
		this.#file.accept = 'audio/*,video/*';
		this.#file.addEventListener('change', () => {
			const [file] = this.#file.files ?? [];
			if (file !== undefined) {
				actions.retry(job, file);
			}
		});
		const buttons = element('div', 'tools', this.#retry, this.#choose, this.#cancel);
		this.element.append(this.#title, this.#error, this.#gone, this.#state, this.#announced, this.#progress);
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
		this.#retry.setAttribute('aria-label', job.retryNamed(this.#job.name));
		this.#gone.textContent = job.fileGone;
		this.#chooseText.textContent = job.choose;
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
		setText(this.#announced, isFailed ? '' : jobSummary(inTenths(state), this.#texts));
		this.#progress.hidden = this.#state.hidden = isFailed;
		if (state.phase === 'waiting' || state.phase === 'queued') {
			this.#progress.removeAttribute('value');
		} else if (state.phase !== 'failed') {
			this.#progress.value = state.share;
		}
		const text = 'text' in state ? state.text : '';
		setText(this.#text, text);
		this.#textTitle.hidden = this.#text.hidden = text === '';
		this.#retry.hidden = this.#job.retryNeeds !== 'nothing';
		this.#gone.hidden = this.#choose.hidden = this.#job.retryNeeds !== 'file';
		setText(this.#cancel, isFailed ? job.remove : job.cancel);
		this.#cancel.setAttribute('aria-label', isFailed ? job.removeNamed(name) : job.cancelNamed(name));
	}
}

/** Returns a state that changes with each tenth of its phase. */
function inTenths(state: JobState): JobState {
	return 'share' in state ? { ...state, share: Math.floor(state.share * 10) / 10, remaining: null } : state;
}
