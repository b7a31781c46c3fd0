/** Texts of the captions page, in each language. English is also in the HTML, for the first paint. */

import { type DataFlow, isLocal } from './models.js';

const english = {
	nav: {
		label: 'Pages',
		skip: 'Skip to the content',
		live: 'Live',
		recordings: 'Recordings',
		status: 'Status',
		help: 'Help',
	},
	titles: { live: 'Live captions', recordings: 'Recordings' },
	start: 'Start',
	stop: 'Stop',
	pause: 'Pause',
	share: 'Share',
	linksVoid:
		'The server has lost your session: the links and QR codes that you shared have ended. Share again.',
	resume: 'Resume',
	source: {
		label: 'Listen to',
		usual: 'Microphone',
		tab: 'Audio of a tab',
		unnamed: (number: number): string => `Microphone ${number}`,
	},
	model: { label: 'Model', usual: (name: string): string => `${name} (default)` },
	spoken: { label: 'Spoken language', auto: 'Automatic' },
	states: {
		idle: 'Not listening',
		asking: 'Waiting for your permission',
		connecting: 'Connecting',
		starting: 'Starting',
		waiting: 'Waiting for a free place',
		listening: 'Listening',
		reconnecting: 'Reconnecting',
		paused: 'Paused',
		finishing: 'Waiting for the last captions',
	},
	/** Speech whose text has not arrived, at the end of a sentence; `isAll`: none of it was dropped. */
	keptAudio: (seconds: number, isAll: boolean): string =>
		isAll ? ` (${seconds} s kept)` : ` (the newest ${seconds} s kept)`,
	/** The same after a sentence that says that it is kept. */
	keptSeconds: (seconds: number, isAll: boolean): string =>
		isAll ? ` (${seconds} s)` : ` (the newest ${seconds} s)`,
	/** A full server, while speech is kept. */
	full: (speakers: number, capacity: number): string => {
		const people = speakers === 1 ? '1 person is' : `${speakers} people are`;
		return `${people} being transcribed now; this server holds about ${capacity}. Your speech is kept.`;
	},
	behind: (seconds: string): string => `catching up, ${seconds} s behind`,
	delay: (seconds: string): string => `final after ${seconds} s`,
	key: {
		label: 'Key for this server',
		use: 'Use this key',
		hint: 'Ask the server’s operator for a key. It is stored in this tab only.',
	},
	captions: {
		title: 'Captions',
		empty: 'Press Start and speak. Text appears as you speak, and becomes final a moment later.',
		starting: 'The server is loading its model. You can speak already.',
		listening: 'Listening …',
		example: 'Hear an example',
		newest: 'Jump to latest',
		beamer: 'Full screen',
		leave: 'Leave full screen',
		clear: 'Clear',
		undo: 'Undo clear',
	},
	/** Where speech and text go. */
	dataFlow: {
		local: 'Nothing leaves this server: no cloud service hears you.',
		here: 'Speech is recognised on this server.',
		recognisers: 'Speech is sent to this server’s recognisers, which may run on other machines.',
		audio: 'Audio of recordings is stored in an S3 service.',
		text: 'Transcripts are stored in a PostgreSQL database.',
	},
	speakers: {
		label: 'Show who speaks',
		name: (number: number): string => `Speaker ${number}`,
		rename: 'Rename this speaker. The name of another speaker joins the two.',
		ask: (name: string): string => `Name of ${name}:`,
	},
	turns: {
		label: 'Wait until a sentence sounds finished',
	},
	translate: { label: 'Translate into English' },
	hotwords: { label: 'Words to know', hint: 'Names and terms, separated by commas.' },
	/** For a server that is too busy to send captions on time. */
	maxLag: {
		label: 'Drop captions later than',
		choices: { off: 'Off: keep all', s5: '5 seconds', s10: '10 seconds', s30: '30 seconds' },
		hint: 'On a busy server, captions stay on time; the transcript shows what is missing.',
	},
	options: {
		title: 'Options',
		look: 'Look of the captions',
		size: 'Text size',
		sizes: { s: 'Small', m: 'Medium', l: 'Large', xl: 'Very large' },
		contrast: 'Contrast',
		contrasts: { usual: 'As the page', white: 'White on black', yellow: 'Yellow on black' },
		position: 'Position',
		positions: { top: 'From the top', bottom: 'At the bottom' },
		recognition: 'Recognition',
		later: 'Speakers, sentence ends and the maximum delay can be changed after Stop.',
	},
	/** Transcripts that the browser keeps. */
	kept: {
		offer: (time: string): string => `The captions of ${time} are kept in this browser.`,
		again: 'Show them again',
		returned: 'The page was reloaded in mid-session. Press Start to continue these captions.',
		failed: 'This browser can’t keep transcripts at the moment. Save them before you close this page.',
	},
	/** Missing speech, by the code of the gap. */
	gaps: {
		line: (seconds: string, reason: string): string => `[${seconds} s missing: ${reason}]`,
		reasons: {
			unreachable: 'server unreachable',
			too_slow: 'connection too slow',
			stopped: 'stopped before its text arrived',
			too_late: 'server too busy to transcribe it in time',
		} as Readonly<Record<string, string>>,
		notRecognised: (code: string): string => `not recognised (${code})`,
	},
	exports: {
		label: 'Export',
		copy: 'Copy text',
		copied: 'Copied',
		formats: {
			txt: 'Plain text',
			srt: 'Subtitles (SubRip)',
			vtt: 'Subtitles (WebVTT)',
			docx: 'Word document',
			md: 'Markdown',
			json: 'JSON with times',
		},
	},
	/** By the causes and codes of the client library, the server and this page. */
	problems: {
		insecure:
			'Browsers allow the microphone only on https:// pages and on http://localhost. ' +
			'You can still transcribe recordings here.',
		unsupported:
			'This browser can’t record audio for captions. Use a current Chrome, Edge, Firefox or Safari.',
		microphone_denied:
			'This page may not use the microphone. Allow it in the browser’s address bar, then press Start.',
		no_microphone: 'No microphone found. Connect one, or listen to the audio of a tab.',
		microphone_busy: 'The microphone can’t be started: another program may be using it.',
		tab_denied: 'No tab was selected.',
		tab_silent: 'The tab was shared without audio. Select it again and tick “Also share tab audio”.',
		unplugged: 'The microphone was disconnected. Reconnect it or select another one, then press Resume.',
		permission: 'The microphone permission was revoked. Allow it again, then press Resume.',
		source_ended: 'The tab is no longer shared. Press Resume to share it again.',
		source_muted: 'The audio source is muted.',
		silent: 'No sound is arriving. Is the microphone or the tab muted?',
		sound_suspended: 'The browser has suspended this page’s audio. Click anywhere to resume.',
		network: 'The connection was lost. Reconnecting; your speech is kept.',
		restarting: 'The server is restarting. Reconnecting; your speech is kept.',
		starting: 'The server is starting. Your speech is kept.',
		busy: 'The server is at capacity. Reconnecting; your speech is kept.',
		full: 'The server is full. Your speech is kept.',
		late: 'Captions are late, nothing is lost.',
		overflow: 'Captions are late, and the oldest speech is lost.',
		unreachable: 'The server can’t be reached. Check the network, then press Start.',
		not_shared: 'The server can’t be reached. Nothing was shared; try again later.',
		not_withdrawn: 'The server can’t be reached. The link still works; try again later.',
		unauthorized: 'The server requires a key.',
		wrong_key: 'The server does not know this key.',
		token_expired: 'The key has expired. Enter a new one.',
		forbidden_origin: 'The server does not accept captions from a page at this address.',
		forbidden_host: 'The server does not accept the host name in the address bar.',
		idle_timeout: 'The connection was too slow; the server closed it.',
		head_too_large: 'The request headers are larger than the server allows.',
		audio_gap: 'A short part of the audio was lost in transmission.',
		audio_dropped: 'The server received some audio twice; nothing was lost.',
		slow: 'The server is busy; captions are delayed.',
		decode_errors: 'The server received some damaged audio.',
		similar_channels: 'Two audio channels carry the same sound.',
		language_improbable: 'The spoken language may differ from the selected one.',
		speakers_unavailable: 'The server can’t tell the speakers apart at the moment; the text is complete.',
		turns_unavailable:
			'The server can’t judge when you have finished at the moment; a pause ends a sentence.',
		encoder_failed: 'The browser’s encoder failed; audio is now sent uncompressed.',
		offline: 'The server can’t be reached.',
		queue_full: 'The server is at capacity.',
		server_full: 'The server had no free place. Press Start to wait again.',
		ledger_unavailable: 'The server cannot reach its job database.',
		ledger_failed: 'The job database of the server is damaged.',
		ledger_full: 'The server has no room for more jobs.',
		no_worker_ready: 'The server is not ready yet.',
		model_unavailable: 'The server is loading this model. Try again soon.',
		model_not_found: 'The server does not have this model.',
		draining: 'The server is restarting.',
		rate_limited: 'A rate limit was reached. Try again later.',
		too_large: 'The file is larger than the server allows.',
		too_long: 'The recording is longer than the server allows.',
		unsupported_format: 'The server does not support this file format.',
		unsupported_option: 'The server does not have a requested option.',
		bad_audio: 'The recording is damaged and can’t be read.',
		empty_audio: 'The file contains no audio.',
		audio_missing: 'The server has lost this recording. Send it again.',
		api_unavailable: 'The server no longer has the API that accepted this recording. Send it again.',
		poison_job: 'This recording crashes the recogniser and was abandoned.',
		unreadable: 'The file can’t be read. It may be a folder, or it was changed or moved.',
		not_found: 'The server no longer has this recording.',
		method_not_allowed: 'The server does not support this request. Reload the page: it may be outdated.',
		deadline_exceeded: 'The request timed out.',
		internal: 'Internal server error; see the server’s log.',
		bad_message: 'The server sent a message that this page can’t read. Reload the page: it may be outdated.',
		refused: 'The server ended the captions. Press Start to begin again.',
	} as Readonly<Record<string, string>>,
	unknownProblem: (code: string): string => `Something went wrong (${code}).`,
};

/** All its texts. */
export type CaptionTexts = typeof english;

const chinese: CaptionTexts = {
	nav: { label: '页面', skip: '跳到正文', live: '实时', recordings: '录音', status: '状态', help: '帮助' },
	titles: { live: '实时字幕', recordings: '录音' },
	start: '开始',
	stop: '停止',
	pause: '暂停',
	share: '分享',
	linksVoid: '服务器已丢失您的会话：您分享的链接和二维码均已失效，请重新分享。',
	resume: '继续',
	source: {
		label: '声音来源',
		usual: '麦克风',
		tab: '标签页的声音',
		unnamed: number => `麦克风 ${number}`,
	},
	model: { label: '模型', usual: name => `${name}（默认）` },
	spoken: { label: '所说语言', auto: '自动识别' },
	states: {
		idle: '尚未开始',
		asking: '等待您的许可',
		connecting: '正在连接',
		starting: '正在启动',
		waiting: '正在等待空位',
		listening: '正在聆听',
		reconnecting: '正在重新连接',
		paused: '已暂停',
		finishing: '正在等待最后几句',
	},
	keptAudio: (seconds, isAll) => (isAll ? `（已保留 ${seconds} 秒）` : `（保留了最新的 ${seconds} 秒）`),
	keptSeconds: (seconds, isAll) => (isAll ? `（${seconds} 秒）` : `（最新的 ${seconds} 秒）`),
	full: (speakers, capacity) =>
		`目前正在转写 ${speakers} 人的讲话，此服务器约可容纳 ${capacity} 人。其间所说的话会保留。`,
	behind: seconds => `正在追赶，落后 ${seconds} 秒`,
	delay: seconds => `${seconds} 秒后确定`,
	key: {
		label: '此服务器的密钥',
		use: '使用此密钥',
		hint: '请向服务器管理员索取。密钥只保存在本标签页。',
	},
	captions: {
		title: '字幕',
		empty: '按“开始”后说话，文字会随即出现，片刻后确定。',
		starting: '服务器正在加载模型，您现在就可以说话。',
		listening: '正在聆听……',
		example: '听一段示例',
		newest: '跳到最新',
		beamer: '全屏',
		leave: '退出全屏',
		clear: '清空',
		undo: '撤销清空',
	},
	dataFlow: {
		local: '一切都留在此服务器上，不经过任何云服务。',
		here: '语音在此服务器上识别。',
		recognisers: '语音会发送到此服务器的识别节点，它们可能在其他机器上运行。',
		audio: '录音的音频保存在 S3 存储服务中。',
		text: '文字保存在 PostgreSQL 数据库中。',
	},
	speakers: {
		label: '显示发言人',
		name: number => `发言人 ${number}`,
		rename: '重命名此发言人。输入另一位发言人的名字即可合并两人。',
		ask: name => `${name}的名字：`,
	},
	turns: {
		label: '等一句话听起来说完再断句',
	},
	translate: { label: '翻译成英语' },
	hotwords: { label: '专有词汇', hint: '人名和术语，用逗号分隔。' },
	maxLag: {
		label: '丢弃晚于此时间的字幕',
		choices: { off: '关闭：全部保留', s5: '5 秒', s10: '10 秒', s30: '30 秒' },
		hint: '服务器繁忙时字幕仍保持及时；缺失的部分会在文字中标明。',
	},
	options: {
		title: '选项',
		look: '字幕外观',
		size: '文字大小',
		sizes: { s: '小', m: '中', l: '大', xl: '特大' },
		contrast: '对比度',
		contrasts: { usual: '与页面相同', white: '黑底白字', yellow: '黑底黄字' },
		position: '位置',
		positions: { top: '从顶部开始', bottom: '在底部' },
		recognition: '识别',
		later: '发言人、句子结尾和最大延迟可在停止后更改。',
	},
	kept: {
		offer: time => `${time} 的字幕仍保存在此浏览器中。`,
		again: '重新显示',
		returned: '会话进行中时页面被重新加载。按“开始”可继续这些字幕。',
		failed: '此浏览器目前无法保存文字。请在关闭本页前自行下载。',
	},
	gaps: {
		line: (seconds, reason) => `[缺失 ${seconds} 秒：${reason}]`,
		reasons: {
			unreachable: '无法连接服务器',
			too_slow: '连接太慢',
			stopped: '在文字返回前已停止',
			too_late: '服务器繁忙，来不及转写',
		},
		notRecognised: code => `未能识别（${code}）`,
	},
	exports: {
		label: '导出',
		copy: '复制文字',
		copied: '已复制',
		formats: {
			txt: '纯文本',
			srt: '字幕（SubRip）',
			vtt: '字幕（WebVTT）',
			docx: 'Word 文档',
			md: 'Markdown',
			json: '带时间的 JSON',
		},
	},
	problems: {
		insecure: '浏览器只允许 https:// 页面或服务器本机（http://localhost）使用麦克风。转写录音不受影响。',
		unsupported: '此浏览器无法为字幕录音。请使用新版 Chrome、Edge、Firefox 或 Safari。',
		microphone_denied: '此页面没有麦克风权限。请在浏览器地址栏中允许，然后按“开始”。',
		no_microphone: '没有找到麦克风。请接上麦克风，或改听标签页的声音。',
		microphone_busy: '麦克风无法启动：可能正被其他程序占用。',
		tab_denied: '没有选择要聆听的标签页。',
		tab_silent: '共享标签页时没有包含声音。请重新选择，并勾选“同时共享标签页音频”。',
		unplugged: '麦克风已断开。请接上或换一个，然后按“继续”。',
		permission: '此页面的麦克风权限已被收回。请重新允许，然后按“继续”。',
		source_ended: '标签页已停止共享。按“继续”可重新共享。',
		source_muted: '声音来源已静音。',
		silent: '没有任何声音传来。麦克风或标签页是否已静音？',
		sound_suspended: '浏览器已暂停本页的音频。点击任意位置即可继续。',
		network: '连接已断开。正在自动重试，其间所说的话会保留。',
		restarting: '服务器正在重启。正在自动重试，其间所说的话会保留。',
		starting: '服务器正在启动，其间所说的话会保留。',
		busy: '服务器繁忙。正在自动重试，其间所说的话会保留。',
		full: '服务器已满，其间所说的话会保留。',
		late: '字幕有延迟，没有丢失内容。',
		overflow: '字幕有延迟，最早的话已丢失。',
		unreachable: '无法连接服务器。请检查网络，然后按“开始”。',
		not_shared: '无法连接服务器，尚未分享。请稍后再试。',
		not_withdrawn: '无法连接服务器，链接仍然有效。请稍后再试。',
		unauthorized: '服务器需要密钥。',
		wrong_key: '密钥错误，服务器不接受。',
		token_expired: '密钥已过期，请输入新的密钥。',
		forbidden_origin: '服务器不接受来自此地址页面的字幕请求。',
		forbidden_host: '服务器不接受地址栏中的主机名。',
		idle_timeout: '连接太慢，服务器已将其断开。',
		head_too_large: '请求头超过服务器允许的大小。',
		audio_gap: '有少量声音在传输中丢失。',
		audio_dropped: '有些声音重复到达服务器，没有丢失内容。',
		slow: '服务器繁忙：字幕会晚一些。',
		decode_errors: '有些声音到达服务器时已损坏。',
		similar_channels: '两个声道的声音相同。',
		language_improbable: '所说的语言可能与所选语言不同。',
		speakers_unavailable: '服务器目前无法区分发言人；文字是完整的。',
		turns_unavailable: '服务器目前无法判断您是否说完；停顿会结束一句话。',
		encoder_failed: '浏览器的编码器出错，已改为发送未压缩的音频。',
		offline: '无法连接服务器。',
		queue_full: '服务器已满。',
		server_full: '服务器一直没有空位。请按“开始”再次等待。',
		ledger_unavailable: '服务器无法访问任务数据库。',
		ledger_failed: '服务器的任务数据库已损坏。',
		ledger_full: '服务器没有空间保存更多任务。',
		no_worker_ready: '服务器尚未就绪。',
		model_unavailable: '服务器正在加载此模型，请稍后再试。',
		model_not_found: '服务器没有此模型。',
		draining: '服务器正在重启。',
		rate_limited: '已达到速率限制，请稍后再试。',
		too_large: '文件超过服务器允许的大小。',
		too_long: '录音超过服务器允许的长度。',
		unsupported_format: '服务器不支持此文件格式。',
		unsupported_option: '服务器不具备所请求的选项。',
		bad_audio: '录音已损坏，无法读取。',
		empty_audio: '文件里没有声音。',
		audio_missing: '服务器丢失了此录音。请重新发送。',
		api_unavailable: '服务器已不再提供接收此录音的 API。请重新发送。',
		poison_job: '此录音会使识别程序崩溃，已放弃。',
		unreadable: '无法读取此文件。它可能是文件夹，或已被更改或移动。',
		not_found: '服务器上已没有此录音。',
		method_not_allowed: '服务器不支持此请求。请重新加载：页面可能已过时。',
		deadline_exceeded: '请求超时。',
		internal: '服务器内部出错，详见其日志。',
		bad_message: '服务器发来了本页面无法识别的消息。请重新加载：页面可能已过时。',
		refused: '服务器结束了字幕。请按“开始”重新开始。',
	},
	unknownProblem: code => `出错了（${code}）。`,
};

export const CAPTION_TEXTS = { en: english, zh: chinese } as const;

/** A text, in the language of the page at the time it is shown. */
export type Sentence = (texts: CaptionTexts) => string;

/** Returns the text that says where speech and text go, one sentence a line. */
export function dataFlow(flow: DataFlow): Sentence {
	return ({ dataFlow: { local, here, recognisers, audio, text } }) => {
		if (isLocal(flow)) {
			return local;
		}
		const recognition = flow.usesRecognisers ? recognisers : here;
		return [recognition, ...(flow.usesS3 ? [audio] : []), ...(flow.usesPostgres ? [text] : [])].join('\n');
	};
}

/** Returns the text for a cause or code. */
export function problem(code: string): Sentence {
	return texts => texts.problems[code] ?? texts.unknownProblem(code);
}
