/** Texts of the place of recordings, in each language. */

import type { CaptionTexts } from '../caption-texts.js';
import type { Language } from '../i18n.js';

const english = {
	back: 'All recordings',
	fresh: {
		link: 'New transcription',
		title: 'Transcribe a recording',
		choose: 'Choose files',
		drop: 'or drop them anywhere on this page. Audio or video, up to several hours.',
		privacy: 'This browser keeps the transcript, and the audio for playing.',
		options: 'Options',
		numSpeakers: 'Number of speakers',
	},
	list: {
		label: 'Transcripts',
		search: 'Search all transcripts',
		none: 'No transcripts yet.',
		noMatch: 'No transcript contains these words.',
		work: 'In progress',
		failed: 'Failed',
		here: 'In this browser',
		server: 'On the server',
		removeAll: 'Delete all',
		confirmAll: 'Delete all transcripts and their audio from this browser?',
		session: 'Live session',
		serverJob: 'Recording',
		isLive: 'Open in Live',
		alsoOnServer: 'Also on the server',
		matches: (count: number): string => (count === 1 ? '1 match' : `${count} matches`),
		keepHint: 'Kept for 30 days.',
	},
	job: {
		waiting: 'Queued after the files before it',
		uploading: (percent: string): string => `Uploading, ${percent}`,
		queued: 'Waiting for the server',
		queuedFor: (time: string): string => `Waiting for the server: starts in about ${time}`,
		running: (percent: string): string => `Transcribing, ${percent}`,
		left: (progress: string, time: string): string => `${progress} · about ${time} left`,
		slower: (left: string): string => `${left}, slower than usual`,
		again: (reason: string): string => `${reason} Retrying automatically.`,
		progress: (name: string): string => `Progress of ${name}`,
		soFar: 'The text so far',
		failed: 'Not transcribed.',
		cancel: 'Cancel',
		cancelNamed: (name: string): string => `Cancel ${name}`,
		retry: 'Retry',
		retryNamed: (name: string): string => `Retry ${name}`,
		fileGone: 'Neither the server nor this browser has the file any more. Choose it again to retry.',
		choose: 'Choose the file',
		remove: 'Remove',
		removeNamed: (name: string): string => `Remove ${name}`,
	},
	transcript: {
		unknown: 'This transcript is not in this browser. It may have been deleted, or have expired.',
		isInWorkElsewhere: 'Another tab transcribes this recording.',
		empty: 'No speech was found.',
		hasGaps: 'Some parts could not be recognised.',
		name: 'Name of the transcript',
		edit: 'Edit text',
		editEnd: 'Done',
		editHint:
			'Click a sentence to correct it. Enter saves, Escape restores it. An empty sentence is removed.',
		textAt: (time: string): string => `Text at ${time}`,
		playAt: (time: string): string => `Play from ${time}`,
		undo: 'Undo',
		remove: 'Delete',
		continueLive: 'Continue in Live',
		isLive: 'This transcript is open in Live. It can be edited here when Live is stopped.',
		moveHere: 'Edit it here',
		isElsewhere: 'Another tab edits this transcript. It can be read here.',
		onServer: 'Kept by the server. Your first edit makes a copy in this browser.',
		alsoOnServer: 'The server keeps this transcript, too. Your edits of the text stay in this browser.',
		find: 'Find in this transcript',
		found: (at: number, count: number): string => `${at} of ${count}`,
		notFound: 'Not found',
		previous: 'Previous match',
		next: 'Next match',
	},
	player: {
		label: 'Player',
		play: 'Play',
		pause: 'Pause',
		position: 'Position',
		positionOf: (now: string, all: string): string => `${now} of ${all}`,
		speed: 'Speed',
		hint: 'Click a word to play from there. In the text: Space plays, ← → move by 5 s, ↑ ↓ by a paragraph.',
		missing: 'The audio is not in this browser any more. Choose the file again to play it.',
		choose: 'Choose the file',
		unplayable: 'This browser can’t play this file.',
	},
	speakers: {
		label: 'Speakers',
		share: (name: string, percent: string): string => `${name}, ${percent} of the speech`,
		title: (name: string): string => `Who is ${name}?`,
		name: 'Name',
		same: 'Same person as',
		nobody: 'Nobody else',
		save: 'Save',
		cancel: 'Cancel',
	},
};

/** All its texts. */
export type RecordingTexts = typeof english;

const chinese: RecordingTexts = {
	back: '全部录音',
	fresh: {
		link: '新的转写',
		title: '转写录音',
		choose: '选择文件',
		drop: '或拖放到本页任意位置。音频或视频，可长达数小时。',
		privacy: '此浏览器会保存转写，以及用于播放的音频。',
		options: '选项',
		numSpeakers: '发言人数',
	},
	list: {
		label: '转写记录',
		search: '搜索全部转写',
		none: '还没有转写。',
		noMatch: '没有转写包含这些词。',
		work: '进行中',
		failed: '失败',
		here: '在此浏览器中',
		server: '在服务器上',
		removeAll: '全部删除',
		confirmAll: '要从此浏览器中删除所有转写及其声音吗？',
		session: '实时会话',
		serverJob: '录音',
		isLive: '正在“实时”中打开',
		alsoOnServer: '服务器上也有',
		matches: count => `${count} 处匹配`,
		keepHint: '保存 30 天。',
	},
	job: {
		waiting: '等待前面的文件完成',
		uploading: percent => `正在上传，${percent}`,
		queued: '正在等待服务器',
		queuedFor: time => `正在等待服务器：大约 ${time}后开始`,
		running: percent => `正在转写，${percent}`,
		left: (progress, time) => `${progress} · 大约还需 ${time}`,
		slower: left => `${left}，比平时慢`,
		again: reason => `${reason}会自动重试。`,
		progress: name => `${name} 的进度`,
		soFar: '目前的文字',
		failed: '未能转写。',
		cancel: '取消',
		cancelNamed: name => `取消 ${name}`,
		retry: '重试',
		retryNamed: name => `重试 ${name}`,
		fileGone: '服务器和此浏览器中都已没有该文件。请重新选择文件以重试。',
		choose: '选择文件',
		remove: '移除',
		removeNamed: name => `移除 ${name}`,
	},
	transcript: {
		unknown: '此浏览器中没有这份转写。它可能已被删除或已过期。',
		isInWorkElsewhere: '另一个标签页正在转写这份录音。',
		empty: '没有找到语音。',
		hasGaps: '有些部分未能识别。',
		name: '转写的名称',
		edit: '编辑文字',
		editEnd: '完成',
		editHint: '点击句子进行更正。回车键保存，Esc 键还原。清空的句子会被删除。',
		textAt: time => `${time} 处的文字`,
		playAt: time => `从 ${time} 播放`,
		undo: '撤销',
		remove: '删除',
		continueLive: '在“实时”中继续',
		isLive: '这份转写正在“实时”中打开。停止聆听后可在此编辑。',
		moveHere: '在此编辑',
		isElsewhere: '另一个标签页正在编辑这份转写。这里只能阅读。',
		onServer: '由服务器保存。首次编辑会在此浏览器中创建副本。',
		alsoOnServer: '服务器也保存了这份转写。对文字的修改只留在此浏览器中。',
		find: '在此转写中查找',
		found: (at, count) => `第 ${at} 处，共 ${count} 处`,
		notFound: '未找到',
		previous: '上一处',
		next: '下一处',
	},
	player: {
		label: '播放器',
		play: '播放',
		pause: '暂停',
		position: '位置',
		positionOf: (now, all) => `${now}，共 ${all}`,
		speed: '速度',
		hint: '点击词语即可从该处播放。在文字中：空格键播放，← → 移动 5 秒，↑ ↓ 移动一段。',
		missing: '此浏览器中已没有该录音的声音。请重新选择文件以播放。',
		choose: '选择文件',
		unplayable: '此浏览器无法播放此文件。',
	},
	speakers: {
		label: '发言人',
		share: (name, percent) => `${name}，占发言时长的 ${percent}`,
		title: name => `${name} 是谁？`,
		name: '名字',
		same: '与谁是同一人',
		nobody: '无',
		save: '保存',
		cancel: '取消',
	},
};

export const RECORDING_TEXTS = { en: english, zh: chinese } as const;

/** The texts of the place together with those of the page around it, in one language. */
export interface PlaceTexts {
	readonly language: Language;
	readonly page: CaptionTexts;
	readonly own: RecordingTexts;
}

/** Returns a duration such as "2 minutes". */
export function duration(value: number, unit: 'second' | 'minute' | 'hour', language: Language): string {
	return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
}

/** Returns a share such as "42%", with this number of decimals. */
export function percent(share: number, language: Language, decimals = 0): string {
	const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
	return new Intl.NumberFormat(language, { style: 'percent', ...digits }).format(share);
}
