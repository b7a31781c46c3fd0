/** Entry point of the page: what its places share, and which of them is shown. */

import { CAPTION_TEXTS, problem } from './caption-texts.js';
import { byId } from './dom.js';
import { acceptDrops } from './drop.js';
import { type Language, showTexts, bindLanguageButton } from './i18n.js';
import { IndexedDbStore } from './kept-store.js';
import { Keeper } from './keeper.js';
import { Key } from './key.js';
import { LivePlace } from './live-place.js';
import { Notice } from './notice.js';
import { type Place, Places } from './place.js';
import { deletedIds, pendingDeletions } from './recordings/pending-deletions.js';
import { bindSkipLink } from './skip-link.js';
import type { RecordingsPlace } from './recordings/place.js';
import type { VocabulariesPlace } from './vocabularies/place.js';

let texts: (typeof CAPTION_TEXTS)[Language] = CAPTION_TEXTS.en;
let shownIn: Language = 'en';
let recordings: RecordingsPlace | null = null;
let loading: Promise<RecordingsPlace> | null = null;
let vocabularies: Promise<VocabulariesPlace> | null = null;

const notice = new Notice(texts);
const showProblem = notice.show.bind(notice);
const key = new Key(showProblem);
const keeper = new Keeper(new IndexedDbStore(), isFailing => {
	byId('not-kept', HTMLElement).hidden = !isFailing;
});
const live = new LivePlace(texts, {
	key,
	keeper,
	notice,
});
const places = new Places(enter);

bindLanguageButton(byId('language', HTMLButtonElement), render);
bindSkipLink();
acceptDrops(files => {
	void loadRecordings().then(place => place.add(files));
});
document.addEventListener('visibilitychange', () => {
	if (!document.hidden) {
		enter(places.current); // other tabs may have changed what is kept
	}
});
window.addEventListener('beforeunload', event => {
	if (isBusy()) {
		event.preventDefault(); // the browser asks the user whether to leave
	}
});
byId('status-link', HTMLAnchorElement).addEventListener('click', ({ currentTarget }) => {
	(currentTarget as HTMLAnchorElement).target = isBusy() ? '_blank' : '';
});
byId('key-form', HTMLFormElement).addEventListener('submit', () => void askServer());
void askServer();
void resumeJobs();

/** Returns whether leaving the page would stop something, or lose text. */
function isBusy(): boolean {
	return live.isOn || recordings?.isUploading === true || keeper.isUnsaved;
}

/** Asks the server for what it has, and offers the places that not every server has. */
async function askServer(): Promise<void> {
	await live.loadModels();
	byId('vocabularies-link', HTMLAnchorElement).hidden = !live.hasVocabularies;
	if (live.usesVocabularies) {
		await loaded();
		await Promise.allSettled([import('./vocabularies/place.js')]); // opens without the server, too
	}
}

/** Continues the jobs and deletions that a page before has started. */
async function resumeJobs(): Promise<void> {
	const kept = await keeper.list();
	if (kept.some(({ job }) => job !== null) || pendingDeletions().length > 0) {
		await (await loadRecordings()).resume(kept);
	}
	await loaded();
	// Cached: the place and its exports then work even if the server is unreachable.
	await Promise.allSettled([
		import('./recordings/place.js'),
		import('./recordings/docx.js'),
		import('./recordings/markdown.js'),
	]);
}

/** Waits until the page is complete. */
async function loaded(): Promise<void> {
	if (document.readyState !== 'complete') {
		await new Promise(resolve => window.addEventListener('load', resolve, { once: true }));
	}
}

/** Loads the place of recordings once; a failed attempt is repeated by the next call. */
function loadRecordings(): Promise<RecordingsPlace> {
	return (loading ??= import('./recordings/place.js').then(
		({ RecordingsPlace }) => {
			recordings = new RecordingsPlace(texts, shownIn, {
				key,
				keeper,
				liveId: () => live.id,
				releaseLive: () => live.release(),
				isListening: () => live.isOn,
				continueLive: transcript => {
					places.go({ name: 'live' });
					void live.open(transcript);
				},
				showProblem,
				loadWordBar: () => import('./vocabularies/word-bar.js'),
				vocabulariesChanged: () => void live.loadVocabularies(),
				go: id => places.go({ name: 'recordings', id }),
			});
			recordings.render(texts, shownIn);
			return recordings;
		},
		(error: unknown) => {
			loading = null;
			throw error;
		},
	));
}

/** Loads the place of vocabularies once; a failed attempt is repeated by the next call. */
function loadVocabularies(): Promise<VocabulariesPlace> {
	return (vocabularies ??= import('./vocabularies/place.js').then(
		({ VocabulariesPlace }) =>
			new VocabulariesPlace(shownIn, {
				key,
				showProblem,
				go: id => places.go({ name: 'vocabularies', id }),
				changed: () => void live.loadVocabularies(),
			}),
		(error: unknown) => {
			vocabularies = null;
			throw error;
		},
	));
}

function enter(place: Place): void {
	document.title = `Auricle: ${texts.titles[place.name]}`;
	if (place.name === 'live') {
		void keeper.list().then(kept => {
			const deleted = deletedIds();
			live.offer(kept.filter(({ id }) => !deleted.has(id)));
		});
	} else {
		live.leaveFullScreen();
		const entered = place.name === 'recordings' ? loadRecordings() : loadVocabularies();
		entered.then(
			shown => void shown.show(place.id),
			() => showProblem(problem('offline')),
		);
	}
}

function render(language: Language): void {
	texts = CAPTION_TEXTS[language];
	shownIn = language;
	showTexts(texts);
	notice.render(texts);
	live.render(texts, language);
	recordings?.render(texts, language);
	void vocabularies?.then(place => place.render(language));
	places.show();
}
