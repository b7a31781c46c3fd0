/** Texts of sharing, in each language. */

import type { Language } from '../i18n.js';

/** All its texts. */
export interface ShareTexts {
	readonly title: string;
	readonly about: string;
	readonly lasts: string;
	readonly hours: (hours: number) => string;
	readonly create: string;
	readonly another: string;
	readonly link: string;
	readonly copy: string;
	readonly copied: string;
	readonly open: string;
	readonly code: string;
	readonly expires: (time: string) => string;
	readonly withdraw: string;
	readonly withdrawn: string;
	readonly localOnly: string;
	readonly renewed: string;
	readonly ended: string;
	readonly close: string;
	readonly layer: {
		readonly title: string;
		readonly about: string;
		readonly background: string;
		readonly backgrounds: Readonly<Record<'transparent' | 'green' | 'blue' | 'magenta', string>>;
		readonly lines: string;
		readonly size: string;
		readonly link: string;
	};
}

export const SHARE_TEXTS: Readonly<Record<Language, ShareTexts>> = {
	en: {
		title: 'Share these captions',
		about: 'A link lets others read along, without a key. It shows this session and nothing else.',
		lasts: 'The link works for',
		hours: hours => (hours === 1 ? '1 hour' : `${hours} hours`),
		create: 'Create a link',
		another: 'Create another link',
		link: 'Link for readers',
		copy: 'Copy',
		copied: 'Copied',
		open: 'Open',
		code: 'QR code of the link for readers',
		expires: time => `Expires on ${time}, or when you stop.`,
		withdraw: 'Withdraw this link',
		withdrawn: 'The link was withdrawn: its readers see no further captions.',
		localOnly:
			'Other devices can’t open this link: this page was opened by a name of this computer alone. Open it by the server’s name or address, then share.',
		renewed: 'The server has started a new session: earlier links have ended. Create another one.',
		ended: 'The session has ended, and with it all its links.',
		close: 'Close',
		layer: {
			title: 'Captions over a video, in OBS or a mixer',
			about: 'Add this address as a browser source. It works like the link above.',
			background: 'Background',
			backgrounds: {
				transparent: 'Transparent (OBS)',
				green: 'Green key',
				blue: 'Blue key',
				magenta: 'Magenta key',
			},
			lines: 'Rows',
			size: 'Size, % of the width',
			link: 'Address of the layer',
		},
	},
	zh: {
		title: '分享字幕',
		about: '他人无需密钥，打开链接即可同步阅读。链接只显示本次会话。',
		lasts: '链接有效期',
		hours: hours => `${hours} 小时`,
		create: '创建链接',
		another: '再创建一个链接',
		link: '读者链接',
		copy: '复制',
		copied: '已复制',
		open: '打开',
		code: '读者链接的二维码',
		expires: time => `${time} 失效；停止后也会失效。`,
		withdraw: '撤回此链接',
		withdrawn: '链接已撤回，读者不会再看到新的字幕。',
		localOnly:
			'其他设备无法打开此链接：本页面使用的是只有本机能访问的地址。请用服务器的名称或地址打开页面后再分享。',
		renewed: '服务器已开始新的会话，之前的链接均已失效。请重新创建。',
		ended: '会话已结束，其所有链接均已失效。',
		close: '关闭',
		layer: {
			title: '叠加在视频上的字幕（OBS 或切换台）',
			about: '将此地址添加为“浏览器”来源，有效期与上面的链接相同。',
			background: '背景',
			backgrounds: {
				transparent: '透明（OBS）',
				green: '绿色键控',
				blue: '蓝色键控',
				magenta: '品红键控',
			},
			lines: '行数',
			size: '字号（占宽度的百分比）',
			link: '叠加层地址',
		},
	},
};
