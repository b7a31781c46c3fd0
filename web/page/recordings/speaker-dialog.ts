/** Asks who a speaker is: a name, or another speaker who is the same person. */

import { element, pressButton } from '../dom.js';
import type { PlaceTexts } from './texts.js';

/** As long as the server allows. */
const MAX_NAME_CHARACTERS = 100;

/** A speaker of a transcript. */
export interface SpeakerEntry {
	readonly number: number;
	readonly name: string;
}

/** The answer. */
export type SpeakerChange = { readonly name: string } | { readonly mergeInto: number };

/** Shows the dialog; returns the answer, or `null` if it was cancelled or nothing was changed. */
export function askSpeaker(
	texts: PlaceTexts,
	speaker: SpeakerEntry,
	others: readonly SpeakerEntry[],
): Promise<SpeakerChange | null> {
	const { speakers } = texts.own;
	const name = element('input', 'field');
	name.maxLength = MAX_NAME_CHARACTERS;
	name.autocomplete = 'off';
	name.value = speaker.name;
	const same = element('select');
	same.append(
		new Option(speakers.nobody, ''),
		...others.map(other => new Option(other.name, String(other.number))),
	);
	const title = element('h2', '', speakers.title(speaker.name));
	title.id = 'speaker-dialog-title';
	const sameLabel = element('label', 'choice', speakers.same, same);
	sameLabel.hidden = others.length === 0;
	const dialog = element('dialog', 'card speaker-dialog');
	dialog.setAttribute('aria-labelledby', title.id);
	const cancel = pressButton('', () => dialog.close());
	cancel.textContent = speakers.cancel;
	const save = element('button', 'primary', speakers.save);
	const form = element('form', '', title, element('label', 'choice', speakers.name, name), sameLabel);
	form.append(element('div', 'dialog-buttons', cancel, save));
	dialog.append(form);
	same.addEventListener('change', () => {
		name.disabled = same.value !== '';
	});
	return new Promise(resolve => {
		form.addEventListener('submit', event => {
			event.preventDefault();
			const isSame = same.value !== '';
			const isNew = name.value.trim() !== speaker.name;
			dialog.close();
			if (isSame) {
				resolve({ mergeInto: Number(same.value) });
			} else {
				resolve(isNew ? { name: name.value.trim() } : null);
			}
		});
		dialog.addEventListener('close', () => {
			dialog.remove();
			resolve(null); // unless the form has resolved it
		});
		document.body.append(dialog);
		dialog.showModal();
		name.select();
	});
}
