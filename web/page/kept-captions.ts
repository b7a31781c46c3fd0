/** Keeps the captions on the page under an ID that belongs to one tab at a time. */

import type { CaptionView } from './caption-view.js';
import { Claim, newId } from './claim.js';
import type { KeptTranscript } from './kept.js';
import type { Keeper } from './keeper.js';

/** The captions on the page as a kept transcript. */
export class KeptCaptions {
	readonly #view: CaptionView;
	readonly #keeper: Keeper;
	#claim = new Claim(newId());
	/** What the user gave the captions elsewhere, to be kept. */
	#given: Pick<KeptTranscript, 'name' | 'createdAt'> = { name: '' };

	/**
	 * @param view - The captions.
	 * @param keeper - Keeps them.
	 */
	constructor(view: CaptionView, keeper: Keeper) {
		this.#view = view;
		this.#keeper = keeper;
		void this.#claim.take();
		window.addEventListener('pageshow', ({ persisted }) => {
			if (persisted) {
				void this.#claimOrCopy(this.id); // another tab may have opened them meanwhile
			}
		});
	}

	/** ID of the captions on the page. */
	get id(): string {
		return this.#claim.id;
	}

	/** Keeps the lines on the page; removes them if there are none. */
	async change(): Promise<void> {
		const { lines } = this.#view;
		if (lines.length === 0) {
			await this.#keeper.remove([this.id]);
			return;
		}
		await this.#keeper.keep({
			id: this.id,
			kind: 'captions',
			...this.#given,
			changedAt: Date.now(),
			lines: [...lines],
			job: null,
		});
	}

	/** Shows kept captions in the place of the current ones, to be continued; as a copy if another tab shows them. */
	async open({ id, lines, name, createdAt }: KeptTranscript): Promise<void> {
		this.#claim.release();
		this.#given = { name, ...(createdAt === undefined ? {} : { createdAt }) };
		await this.#claimOrCopy(id);
		this.#view.open(lines);
	}

	/** Leaves the captions to others, and starts with none. */
	release(): void {
		this.#claim.release();
		this.#claim = new Claim(newId());
		this.#given = { name: '' };
		void this.#claim.take();
		this.#view.open([]);
	}

	async #claimOrCopy(id: string): Promise<void> {
		const claim = new Claim(id);
		this.#claim = (await claim.take()) ? claim : new Claim(newId());
		void this.#claim.take();
	}
}
