/** The operator's status page: current state, history and crashes. */

import { byId, setText } from './dom.js';
import { type Language, showTexts, bindLanguageButton } from './i18n.js';
import { bindSkipLink } from './skip-link.js';
import { element } from './status-dom.js';
import { type ServerState, Poll } from './status-poll.js';
import { STATUS_TEXTS } from './status-texts.js';
import { StatusView } from './status-view.js';
import { store, stored } from './storage.js';

const KEPT = 'auricle.operator-key';

const field = byId('operator-key', HTMLInputElement);
const view = new StatusView();
const poll = new Poll(show);
let language: Language = 'en';

byId('operator', HTMLFormElement).addEventListener('submit', event => {
	event.preventDefault();
	useKey(field.value.trim());
});
byId('forget', HTMLButtonElement).addEventListener('click', () => {
	field.value = '';
	useKey('');
});
byId('figures', HTMLDetailsElement).addEventListener('toggle', () => void poll.ask());
for (const link of document.querySelectorAll<HTMLAnchorElement>('.brand a, a[href^="./#"]')) {
	link.addEventListener('click', event => {
		const page = opener();
		if (page !== null) {
			event.preventDefault();
			page.location.hash = link.hash;
			window.close(); // the captions are in the tab that opened this one
		}
	});
}

bindSkipLink();
bindLanguageButton(byId('language', HTMLButtonElement), render);
field.value = stored('sessionStorage', KEPT) ?? '';
useKey(field.value);

/** Returns the tab that shows captions and has opened this one, if any. */
function opener(): Window | null {
	try {
		const { opener } = window as { opener: Window | null };
		return opener?.document.getElementById('captions') == null ? null : opener;
	} catch {
		return null; // it shows another site now
	}
}

/** Uses the operator's key until the tab is closed. */
function useKey(key: string): void {
	poll.operatorKey = key;
	store('sessionStorage', KEPT, key === '' ? null : key);
	byId('forget', HTMLButtonElement).hidden = key === '';
	void poll.ask();
}

function show(known: ServerState | null, awaySince: number | null): void {
	view.show(known, awaySince);
	const isWrong = poll.operatorKey !== '' && awaySince === null && known?.past.withStacks === false;
	setText(byId('operator-wrong', HTMLElement), isWrong ? STATUS_TEXTS[language].operator.wrong : '');
}

function render(chosen: Language): void {
	language = chosen;
	const texts = STATUS_TEXTS[language];
	document.title = `Auricle: ${texts.title}`;
	showTexts(texts);
	showColumns('minutes-columns', texts.table.columns);
	showColumns('models-columns', texts.models.columns);
	showColumns('clients-columns', texts.clients.columns);
	showColumns('workers-columns', texts.workers.columns);
	showColumns('refusals-columns', texts.refusals.columns);
	view.render(texts, language);
	poll.showAgain();
}

function showColumns(id: string, names: readonly string[]): void {
	const headings = names.map(name => {
		const heading = element('th', '', name);
		heading.scope = 'col';
		return heading;
	});
	byId(id, HTMLTableRowElement).replaceChildren(...headings);
}
