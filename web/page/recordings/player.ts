/** Plays a recording: a button, a slider, the speed; for videos, also the picture. */

import { element, pressButton, setText } from '../dom.js';
import { store, stored } from '../storage.js';
import { clock } from '../transcript.js';
import type { PlaceTexts } from './texts.js';

const SPEED = 'auricle.files.speed';
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3] as const;
const SVG = 'http://www.w3.org/2000/svg';
const PLAY = 'M7 4.5v15l12-7.5z';
const PAUSE = 'M6 5h4v14H6zM14 5h4v14h-4z';

/** What a player reports. */
export interface PlayerListener {
	/** Called for each picture while it plays, and after each jump. */
	moved(seconds: number, isPlaying: boolean): void;
	/** The browser can't play the file. */
	failed(): void;
}

/** The player of one recording. */
export class Player {
	readonly element = element('div', 'player');
	readonly #media: HTMLMediaElement;
	readonly #url: string;
	readonly #listener: PlayerListener;
	readonly #toggle: HTMLButtonElement;
	readonly #path = document.createElementNS(SVG, 'path');
	readonly #position = element('input', 'position');
	readonly #time = element('span', 'time');
	readonly #speed = element('select', 'speed');
	readonly #endSeconds: number;
	#texts: PlaceTexts;
	#frame = 0;

	/**
	 * @param texts - Texts of its controls.
	 * @param file - The audio or video.
	 * @param endSeconds - End of the transcript: the duration while the file has not told its own.
	 * @param listener - Gets its changes.
	 */
	constructor(texts: PlaceTexts, file: Blob, endSeconds: number, listener: PlayerListener) {
		this.#texts = texts;
		this.#endSeconds = endSeconds;
		this.#listener = listener;
		this.#media = document.createElement(file.type.startsWith('video/') ? 'video' : 'audio');
		this.#url = URL.createObjectURL(file);
		this.#toggle = pressButton('play', () => this.toggle());
		this.#toggle.append(icon(this.#path));
		this.#position.type = 'range';
		this.#position.min = '0';
		this.#position.step = '0.1';
		this.#position.addEventListener('input', () => this.seek(Number(this.#position.value)));
		this.#speed.append(...SPEEDS.map(speed => new Option(`${speed}×`, String(speed))));
		this.#speed.value = stored('localStorage', SPEED) ?? '1';
		this.#speed.addEventListener('change', () => {
			store('localStorage', SPEED, this.#speed.value);
			this.#media.playbackRate = Number(this.#speed.value);
		});
		this.#listen();
		const bar = element('div', 'player-bar', this.#toggle, this.#position, this.#time, this.#speed);
		this.element.setAttribute('role', 'group');
		this.element.append(this.#media, bar);
		this.render(texts);
	}

	/** Whether it plays. */
	get isPlaying(): boolean {
		return !this.#media.paused;
	}

	/** Its position. */
	get seconds(): number {
		return this.#media.currentTime;
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		const { player } = texts.own;
		this.element.setAttribute('aria-label', player.label);
		this.#position.setAttribute('aria-label', player.position);
		this.#speed.setAttribute('aria-label', player.speed);
		this.#show();
	}

	/** Plays or pauses. */
	toggle(): void {
		if (this.isPlaying) {
			this.#media.pause();
		} else {
			this.#play();
		}
	}

	/** Moves to a time, in seconds. */
	seek(seconds: number): void {
		this.#media.currentTime = Math.min(Math.max(0, seconds), this.#durationSeconds);
	}

	/** Plays from a time on, in seconds. */
	playFrom(seconds: number): void {
		this.seek(seconds);
		this.#play();
	}

	/** Stops it for good. */
	close(): void {
		cancelAnimationFrame(this.#frame);
		this.#media.pause();
		this.#media.removeAttribute('src');
		this.#media.load();
		URL.revokeObjectURL(this.#url);
	}

	#listen(): void {
		const media = this.#media;
		media.preload = 'metadata';
		media.src = this.#url;
		media.defaultPlaybackRate = Number(this.#speed.value);
		media.playbackRate = Number(this.#speed.value);
		for (const event of ['play', 'pause', 'ended', 'seeked', 'seeking', 'loadedmetadata', 'durationchange']) {
			media.addEventListener(event, () => this.#moved());
		}
		media.addEventListener('error', () => {
			if (media.hasAttribute('src')) {
				this.#listener.failed();
			}
		});
	}

	#play(): void {
		this.#media.play().catch(() => undefined); // a pause in the meantime, or a file that can't be played
	}

	#moved(): void {
		this.#show();
		this.#listener.moved(this.seconds, this.isPlaying);
		cancelAnimationFrame(this.#frame);
		if (this.isPlaying) {
			this.#frame = requestAnimationFrame(() => this.#moved());
		}
	}

	get #durationSeconds(): number {
		const { duration } = this.#media;
		return Number.isFinite(duration) ? duration : this.#endSeconds; // recorders write none into a WebM file
	}

	#show(): void {
		const { player } = this.#texts.own;
		const label = this.isPlaying ? player.pause : player.play;
		if (this.#toggle.ariaLabel !== label) {
			this.#toggle.ariaLabel = label;
			this.#toggle.title = label;
			this.#path.setAttribute('d', this.isPlaying ? PAUSE : PLAY);
		}
		const [now, all] = [clock(this.seconds), clock(this.#durationSeconds)];
		this.#position.max = String(this.#durationSeconds);
		this.#position.value = String(this.seconds);
		this.#position.setAttribute('aria-valuetext', player.positionOf(now, all));
		setText(this.#time, `${now} / ${all}`);
	}
}

function icon(path: SVGPathElement): SVGElement {
	const svg = document.createElementNS(SVG, 'svg');
	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('aria-hidden', 'true');
	svg.append(path);
	return svg;
}
