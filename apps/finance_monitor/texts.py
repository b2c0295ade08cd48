"""The texts of the monitor, in English and Chinese."""

from core.platform.apps.texts import Texts

TEXTS = Texts(
    "finance_monitor",
    {
        "title": ("Finance monitor", "财经监测"),
        "summary": (
            "Watch news arrive, labelled by topic and sentiment, and be told of a surge of bad news with its reason.",
            "实时查看按主题和情绪标注的新闻，负面消息激增时获得附带原因的提醒。",
        ),
        "start": ("Start or pause the replay", "开始／暂停回放"),
        "speed": ("Time that passes each second", "每秒推进的时间"),
        "day": ("Begin on", "起始日期"),
        "clock": ("{now:%a %d %b %Y, %H:%M} UTC · {count:,} headlines", "{now:%Y-%m-%d %H:%M} UTC · 共 {count:,} 条"),
        "stream": ("Live stream", "实时新闻"),
        "no_stream": ("Press start: headlines appear here as they are published.", "点击开始，新闻将按时间显示。"),
        "alerts": ("Alerts", "警报"),
        "no_alerts": ("No surge of bad news so far.", "暂无负面消息激增。"),
        "reason": (
            "{stories} negative stories in {hours:.0f} h, usual {usual:.1f}",
            "{hours:.0f} 小时内 {stories} 条负面报道，通常 {usual:.1f} 条",
        ),
        "opened": ("opened {time:%d %b %H:%M}", "{time:%m-%d %H:%M} 触发"),
        "headlines": ("headlines behind it", "相关新闻"),
        "ack": ("Acknowledge all open alerts", "确认全部未处理警报"),
        "open": ("open", "未处理"),
        "acknowledged": ("acknowledged", "已确认"),
        "resolved": ("resolved", "已平息"),
        "new_alert": ("Surge of bad news: {company}", "负面消息激增：{company}"),
        "watchlist": ("Watchlist, last seven days", "关注列表（近七日）"),
        "company": ("company", "公司"),
        "volume": ("news", "新闻"),
        "share": ("bad", "负面"),
        "days": ("bad stories, 14 days", "负面报道（14 日）"),
        "trend_company": ("Trend of", "趋势"),
        "trend_topic": ("Topic", "主题"),
        "everything": ("all", "全部"),
        "trend": ("New stories a day", "每日新报道"),
        "try": ("Try a headline", "试读一条新闻"),
        "headline": ("Headline", "标题"),
        "read": ("Label it", "标注"),
        "upload": ("Replay your own feed (time, company, headline)", "回放自有数据（time、company、headline）"),
        "uploaded": ("{good} headlines loaded, {bad} lines rejected: {why}", "已载入 {good} 条，拒绝 {bad} 行：{why}"),
        "finished": ("The replay is over.", "回放已结束。"),
    },
)  # fmt: skip
