/** The speakers of a transcript with their shares; those of a few words are folded. */

import { speakerButton, speakerName } from '../caption-line.js';
import { element, pressButton } from '../dom.js';
import type { TranscriptLine } from '../transcript.js';
import { briefSpeakers } from './brief-speakers.js';
import { EDIT_TEXTS } from './edit-texts.js';
import type { SpeakerShare } from './speaker-shares.js';
import { percent, type PlaceTexts } from './texts.js';

/** What users do with the speakers. */
export interface ChipsListener {
	pressed(speaker: number): void;
	/** Gives the words of these speakers to those next to them. */
	fold(brief: ReadonlySet<number>): void;
}

/** The speakers. */
export class SpeakerChips {
	readonly element = element('div', 'speakers');
	readonly #listener: ChipsListener;

	/** @param listener - Gets what users do. */
	constructor(listener: ChipsListener) {
		this.#listener = listener;
		this.element.setAttribute('role', 'group');
	}

	/** Shows the speakers of lines; as buttons if they can be changed. */
	show(
		texts: PlaceTexts,
		shares: readonly SpeakerShare[],
		lines: readonly TranscriptLine[],
		canChange: boolean,
	): void {
		const brief = briefSpeakers(shares, lines);
		const chip = (share: SpeakerShare): HTMLElement => this.#chip(texts, share, canChange);
		const isOpen = this.element.querySelector('details')?.open ?? false;
		this.element.hidden = shares.length === 0;
		this.element.setAttribute('aria-label', texts.own.speakers.label);
		this.element.replaceChildren(...shares.filter(({ number }) => !brief.has(number)).map(chip));
		if (brief.size > 0) {
			const own = EDIT_TEXTS[texts.language].brief;
			const folded = element('details', 'brief', element('summary', '', own.summary(brief.size)));
			folded.open = isOpen;
			folded.append(element('div', 'chips', ...shares.filter(({ number }) => brief.has(number)).map(chip)));
			folded.append(element('p', 'note', own.hint));
			if (canChange) {
				const fold = pressButton('small', () => this.#listener.fold(brief));
				fold.textContent = own.fold;
				folded.append(fold);
			}
			this.element.append(folded);
		}
	}

	#chip(texts: PlaceTexts, { number, name, share }: SpeakerShare, canChange: boolean): HTMLElement {
		const text = percent(share, texts.language);
		const chip = canChange
			? speakerButton(number, name, texts.page.speakers.rename)
			: speakerName(number, name);
		chip.append(element('span', 'speech-share', text));
		if (canChange) {
			chip.setAttribute('aria-label', texts.own.speakers.share(name, text));
			chip.addEventListener('click', () => this.#listener.pressed(number));
		}
		return chip;
	}
}
