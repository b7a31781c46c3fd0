/** A dialog with a form. */

import { element, pressButton } from './dom.js';

/** What a dialog says and shows. */
export interface FormDialog<T> {
	readonly title: string;
	/** The fields, with their labels. */
	readonly fields: readonly HTMLElement[];
	readonly save: string;
	readonly cancel: string;
	/** A button that answers otherwise. */
	readonly other?: { readonly text: string; readonly answer: T };
	/** Returns the answer of the fields; `null`: they are not complete, and the dialog stays. */
	readonly answer: () => T | null;
}

/** Shows a dialog; returns the answer, or `null` if it was cancelled. */
export function askForm<T>({ title, fields, save, cancel, other, answer }: FormDialog<T>): Promise<T | null> {
	const heading = element('h2', '', title);
	heading.id = 'form-dialog-title';
	const dialog = element('dialog', 'card form-dialog');
	dialog.setAttribute('aria-labelledby', heading.id);
	return new Promise(resolve => {
		const end = (value: T | null): void => {
			dialog.close();
			resolve(value);
		};
		const buttons = element('div', 'dialog-buttons');
		if (other !== undefined) {
			const button = pressButton('danger', () => end(other.answer));
			button.textContent = other.text;
			buttons.append(button);
		}
		const cancelled = pressButton('', () => end(null));
		cancelled.textContent = cancel;
		buttons.append(cancelled, element('button', 'primary', save));
		const form = element('form', '', heading, ...fields, buttons);
		form.addEventListener('submit', event => {
			event.preventDefault();
			const value = answer();
			if (value !== null) {
				end(value);
			}
		});
		dialog.addEventListener('close', () => {
			dialog.remove();
			resolve(null); // unless it was answered
		});
		dialog.append(form);
		document.body.append(dialog);
		dialog.showModal();
		dialog.querySelector<HTMLInputElement>('input')?.select();
	});
}
