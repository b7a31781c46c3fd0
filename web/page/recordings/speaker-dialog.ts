/** Asks who a speaker is: a name, or another speaker who is the same person. */

import { element, pressButton } from '../dom.js';
import type { PlaceTexts } from './texts.js';
import { VOICE_TEXTS } from './voice-texts.js';

/** As long as the server allows. */
const MAX_NAME_CHARACTERS = 100;

/** A speaker of a transcript. */
export interface SpeakerEntry {
	readonly number: number;
	readonly name: string;
}

/** The answer. */
export type SpeakerChange =
	{ readonly name: string; readonly isRemembered?: boolean } | { readonly mergeInto: number };

/**
 * Shows the dialog; returns the answer, or `null` if it was cancelled or nothing was changed.
 *
 * @param texts - Texts of the dialog.
 * @param speaker - The speaker.
 * @param others - The other speakers of the transcript.
 * @param canRemember - Whether the server can store the voice of the speaker.
 */
export function askSpeaker(
	texts: PlaceTexts,
	speaker: SpeakerEntry,
	others: readonly SpeakerEntry[],
	canRemember: boolean,
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
	const own = VOICE_TEXTS[texts.language];
	const remember = element('input');
	remember.type = 'checkbox';
	const consent = element('p', 'note', own.consent);
	consent.id = 'speaker-dialog-consent';
	remember.setAttribute('aria-describedby', consent.id);
	const voice = element('div', 'remember', element('label', 'option', remember, own.remember), consent);
	voice.hidden = !canRemember;
	const dialog = element('dialog', 'card form-dialog');
	dialog.setAttribute('aria-labelledby', title.id);
	const cancel = pressButton('', () => dialog.close());
	cancel.textContent = speakers.cancel;
	const save = element('button', 'primary', speakers.save);
	const form = element('form', '', title, element('label', 'choice', speakers.name, name), voice, sameLabel);
	form.append(element('div', 'dialog-buttons', cancel, save));
	dialog.append(form);
	const usual = ['', texts.page.speakers.name(speaker.number + 1)];
	form.addEventListener('input', () => {
		name.disabled = remember.disabled = same.value !== '';
		const isUnnamed = remember.checked && usual.includes(name.value.trim());
		name.setCustomValidity(isUnnamed ? own.needsName : '');
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
				const isRemembered = remember.checked;
				resolve(isNew || isRemembered ? { name: name.value.trim(), isRemembered } : null);
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
