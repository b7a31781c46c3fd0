/** Texts of the page for readers, in each language. */

import type { Language } from './i18n.js';

/** All its texts. */
export interface ReaderTexts {
	readonly title: string;
	readonly speaker: (number: number) => string;
	readonly states: Readonly<Record<ReaderState, string>>;
}

/** Messages about the connection; there is none while it works. */
export type ReaderState =
	| 'reading'
	| 'connecting'
	| 'reconnecting'
	| 'away'
	| 'noSession'
	| 'expired'
	| 'unknown'
	| 'closed'
	| 'speaker_left'
	| 'draining';

export const READER_TEXTS: Readonly<Record<Language, ReaderTexts>> = {
	en: {
		title: 'Live captions',
		speaker: number => `Speaker ${number}`,
		states: {
			reading: '',
			connecting: 'Connecting …',
			reconnecting: 'The connection is lost. Reconnecting …',
			away: 'The speaker is reconnecting. Captions continue by themselves.',
			noSession: 'The address has no session. Add #session=ID&token=TOKEN to it.',
			expired: 'This link has expired, was withdrawn, or is wrong. Ask for a new one.',
			unknown: 'The session has ended, or the server has lost it. Ask for a new link.',
			closed: 'The session has ended.',
			speaker_left: 'The speaker has left.',
			draining: 'The server restarts. Ask for a new link.',
		},
	},
	zh: {
		title: '实时字幕',
		speaker: number => `发言人 ${number}`,
		states: {
			reading: '',
			connecting: '正在连接……',
			reconnecting: '连接中断，正在重新连接……',
			away: '发言人正在重新连接，字幕随后会自动继续。',
			noSession: '网址中没有会话。请在末尾加上 #session=ID&token=TOKEN。',
			expired: '此链接已过期、已撤回或有误。请索取新的链接。',
			unknown: '会话已结束，或服务器已丢失该会话。请索取新的链接。',
			closed: '会话已结束。',
			speaker_left: '发言人已离开。',
			draining: '服务器正在重启。请索取新的链接。',
		},
	},
};
