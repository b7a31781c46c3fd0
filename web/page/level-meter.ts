/** The audio level: a bar, and a notice when there is no sound at all. */

const FLOOR_DECIBEL = -60;
/** An unmuted microphone exceeds this level. */
const SILENCE_PEAK = 1e-4;
const SILENCE_MILLISECONDS = 5000;
const EVERY_MILLISECONDS = 50;
const CALM_EVERY_MILLISECONDS = 500;

/** A meter for one stream at a time. */
export class LevelMeter {
	readonly #bar: HTMLElement;
	readonly #whenSilent: (isSilent: boolean) => void;
	readonly #calm = matchMedia('(prefers-reduced-motion: reduce)');
	#context: AudioContext | null = null;
	#timer: ReturnType<typeof setInterval> | undefined;
	#isSilent = false;

	/**
	 * @param bar - Its width shows the level.
	 * @param whenSilent - Called when there has been no sound for a while, and when sound returns.
	 */
	constructor(bar: HTMLElement, whenSilent: (isSilent: boolean) => void) {
		this.#bar = bar;
		this.#whenSilent = whenSilent;
	}

	/** Measures this stream from now on; `null` for none. */
	watch(media: MediaStream | null): void {
		clearInterval(this.#timer);
		void this.#context?.close();
		this.#context = null;
		this.#bar.style.transform = 'scaleX(0)';
		this.#note(false);
		if (media === null) {
			return;
		}
		const context = (this.#context = new AudioContext());
		const analyser = context.createAnalyser();
		context.createMediaStreamSource(media).connect(analyser);
		const samples = new Float32Array(analyser.fftSize);
		let soundAt = performance.now();
		const look = (): void => {
			analyser.getFloatTimeDomainData(samples);
			const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
			const decibel = 20 * Math.log10(peak);
			const share = Math.max(0, Math.min(1, 1 - decibel / FLOOR_DECIBEL));
			this.#bar.style.transform = `scaleX(${share.toFixed(3)})`;
			const now = performance.now();
			if (peak > SILENCE_PEAK || context.state !== 'running') {
				soundAt = now;
			}
			this.#note(now - soundAt > SILENCE_MILLISECONDS);
		};
		this.#timer = setInterval(look, this.#calm.matches ? CALM_EVERY_MILLISECONDS : EVERY_MILLISECONDS);
	}

	#note(isSilent: boolean): void {
		if (isSilent !== this.#isSilent) {
			this.#isSilent = isSilent;
			this.#whenSilent(isSilent);
		}
	}
}
