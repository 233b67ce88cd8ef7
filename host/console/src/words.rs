//! What objects, fields and the words of enumerations are called on a page.
//! English is made of their names; Chinese stands here for all that ships. What
//! a company adds itself is called as it wrote it.

use relata_app::model::ObjectDefinition;

use crate::look::Lang;

/// The object's title: `Survey response`.
pub(crate) fn singular(object: &ObjectDefinition, lang: Lang) -> String {
    match lang {
        Lang::En => object.title.clone(),
        Lang::Zh => found(OBJECTS, &object.name).unwrap_or(&object.title).to_owned(),
    }
}

/// What many of them are called: `Opportunities`. Chinese has no plural.
pub(crate) fn plural(object: &ObjectDefinition, lang: Lang) -> String {
    let title = singular(object, lang);
    if lang == Lang::Zh {
        return title;
    }
    match title.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if title.ends_with('s') => format!("{title}es"),
        _ => format!("{title}s"),
    }
}

/// What a field is called: `Reply due`.
pub(crate) fn field(name: &str, lang: Lang) -> String {
    match lang {
        Lang::En => english(name.strip_suffix("_at").unwrap_or(name)),
        Lang::Zh => found(FIELDS, name).map_or_else(|| english(name), str::to_owned),
    }
}

/// What a word of an enumeration is called: `Waiting for customer`.
pub(crate) fn choice(word: &str, lang: Lang) -> String {
    match lang {
        Lang::En => english(word),
        Lang::Zh => found(CHOICES, word).map_or_else(|| english(word), str::to_owned),
    }
}

/// A name as words: `first_reply` becomes `First reply`.
fn english(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn found(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, word)| *word)
}

const OBJECTS: &[(&str, &str)] = &[
    ("account", "客户公司"),
    ("approval", "审批"),
    ("calendar", "工作日历"),
    ("campaign", "营销活动"),
    ("contact", "联系人"),
    ("contract", "合同"),
    ("escalation", "升级"),
    ("form", "网页表单"),
    ("interaction", "互动记录"),
    ("lead", "线索"),
    ("message", "消息"),
    ("opportunity", "商机"),
    ("order", "订单"),
    ("queue", "队列"),
    ("role", "角色"),
    ("segment", "客户分群"),
    ("segment_member", "分群成员"),
    ("service_clock", "服务计时"),
    ("service_level", "服务级别"),
    ("survey", "调查"),
    ("survey_response", "调查答复"),
    ("task", "任务"),
    ("team", "团队"),
    ("ticket", "工单"),
    ("user", "用户"),
    ("webhook", "网络回调"),
];

const FIELDS: &[(&str, &str)] = &[
    ("about", "相关记录"),
    ("absences", "请假"),
    ("account", "客户公司"),
    ("active", "在职"),
    ("allowed_origins", "允许嵌入的网站"),
    ("amount", "金额"),
    ("answer", "答复"),
    ("answered_at", "答复时间"),
    ("answered_by", "答复人"),
    ("answers", "可选答复"),
    ("applies_if", "适用条件"),
    ("asked", "询问对象"),
    ("asked_at", "询问时间"),
    ("asks", "附加问题"),
    ("assignee", "负责人"),
    ("attachments", "附件"),
    ("author", "作者"),
    ("automatic", "自动邮件"),
    ("batch", "批次"),
    ("birthday", "生日"),
    ("body", "正文"),
    ("budget", "预算"),
    ("by_hand", "手动"),
    ("calendar", "工作日历"),
    ("capacity", "容量"),
    ("category", "类别"),
    ("channel", "渠道"),
    ("channels", "各渠道上限"),
    ("clock", "计时"),
    ("close_date", "预计成交日"),
    ("comment", "评论"),
    ("company", "公司"),
    ("company_size", "公司规模"),
    ("contact", "联系人"),
    ("country", "国家"),
    ("created_at", "创建时间"),
    ("customer", "客户"),
    ("direction", "方向"),
    ("done_at", "完成时间"),
    ("due_at", "截止时间"),
    ("email", "电子邮箱"),
    ("ended_at", "结束时间"),
    ("ends_on", "结束日期"),
    ("events", "事件"),
    ("external_id", "外部编号"),
    ("extra_days", "加班日"),
    ("fallback", "后备队列"),
    ("first_reply", "首次回复"),
    ("first_reply_at", "首次回复时间"),
    ("follows", "承接工单"),
    ("goal", "目标"),
    ("happened_at", "发生时间"),
    ("highest", "最高分"),
    ("holidays", "节假日"),
    ("industry", "行业"),
    ("intro", "引言"),
    ("intro_de", "德文引言"),
    ("intro_zh", "中文引言"),
    ("kind", "种类"),
    ("languages", "语言"),
    ("last_order_at", "最近下单时间"),
    ("lead", "团队负责人"),
    ("level", "级别"),
    ("levels", "升级级别"),
    ("life_cycle", "生命周期"),
    ("locale", "语言"),
    ("lowest", "最低分"),
    ("mail", "邮件"),
    ("mail_consent", "同意营销邮件"),
    ("manager", "上级"),
    ("may", "权限"),
    ("member", "成员"),
    ("merged_into", "已合并到"),
    ("message_id", "邮件标识"),
    ("name", "名称"),
    ("next_level_at", "下一级别时间"),
    ("next_reply", "后续回复"),
    ("note", "备注"),
    ("object", "对象"),
    ("objects", "对象"),
    ("opening", "营业时间"),
    ("order_count", "订单数"),
    ("overflow_after", "溢出时间（分钟）"),
    ("owner", "负责人"),
    ("paid_at", "付款时间"),
    ("password_set_at", "密码设置时间"),
    ("pauses", "暂停状态"),
    ("phone", "电话"),
    ("placed_at", "下单时间"),
    ("policy", "分配策略"),
    ("prefer_last_agent", "优先上次客服"),
    ("prefer_territory", "优先负责该地区的客服"),
    ("presence", "在线状态"),
    ("priority", "优先级"),
    ("probability", "成交概率"),
    ("question", "问题"),
    ("question_de", "德文问题"),
    ("question_zh", "中文问题"),
    ("queue", "队列"),
    ("queued_at", "入队时间"),
    ("rank", "顺序"),
    ("reached_at", "达到时间"),
    ("reason", "原因"),
    ("ref", "编号"),
    ("region", "地区"),
    ("relax_after", "放宽技能（分钟）"),
    ("reply_due_at", "回复期限"),
    ("required_skills", "所需技能"),
    ("role", "角色"),
    ("roles", "角色"),
    ("rule", "规则"),
    ("run", "运行"),
    ("score", "评分"),
    ("secret", "密钥名称"),
    ("segment", "分群"),
    ("sent_at", "发送时间"),
    ("sentiment", "情绪"),
    ("service_level", "服务级别"),
    ("skills", "技能"),
    ("solution", "解决"),
    ("solution_due_at", "解决期限"),
    ("solved_at", "解决时间"),
    ("source", "来源"),
    ("stage", "阶段"),
    ("started_at", "开始时间"),
    ("starts_on", "开始日期"),
    ("status", "状态"),
    ("step", "步骤"),
    ("subject", "主题"),
    ("summary", "摘要"),
    ("survey", "调查"),
    ("survey_consent", "同意调查"),
    ("tags", "标签"),
    ("target", "时限"),
    ("team", "团队"),
    ("template", "模板"),
    ("territories", "负责地区"),
    ("thanks", "致谢语"),
    ("thanks_de", "德文致谢语"),
    ("thanks_zh", "中文致谢语"),
    ("ticket", "工单"),
    ("tier", "等级"),
    ("time_zone", "时区"),
    ("title", "标题"),
    ("title_de", "德文标题"),
    ("title_zh", "中文标题"),
    ("type", "类型"),
    ("updated_at", "更新时间"),
    ("url", "网址"),
    ("via", "途径"),
    ("website", "网站"),
    ("weight", "权重"),
    ("whole", "全文"),
];

const CHOICES: &[(&str, &str)] = &[
    ("active", "进行中"),
    ("answered", "已答复"),
    ("api", "接口"),
    ("assigned", "已分配"),
    ("attempt_failed", "尝试失败"),
    ("away", "离开"),
    ("branches", "分支开始"),
    ("breach", "违约"),
    ("breached", "已违约"),
    ("call", "电话"),
    ("cancelled", "已取消"),
    ("chat", "聊天"),
    ("clock", "读取时钟"),
    ("closed", "已关闭"),
    ("closed_lost", "丢单"),
    ("closed_won", "赢单"),
    ("complaint", "投诉"),
    ("complete", "已结束"),
    ("converted", "已转化"),
    ("customer", "客户"),
    ("dead", "无效"),
    ("deadline", "计时开始"),
    ("done", "已完成"),
    ("dormant", "休眠"),
    ("download", "下载"),
    ("dropped", "已取消"),
    ("due", "待发送"),
    ("ended", "已终止"),
    ("ending", "即将结束"),
    ("expired", "已过期"),
    ("failed", "失败"),
    ("first_reply", "首次回复"),
    ("gave_up", "已放弃"),
    ("gold", "金牌"),
    ("held", "已暂扣"),
    ("high", "高"),
    ("in", "收到"),
    ("in_process", "跟进中"),
    ("inactive", "已停用"),
    ("internal", "内部"),
    ("item", "下一项"),
    ("items", "循环开始"),
    ("junior", "新手优先"),
    ("late", "逾期完成"),
    ("lead", "线索"),
    ("least_busy", "最空闲优先"),
    ("left_out", "已略过"),
    ("level", "达到级别"),
    ("lost", "流失"),
    ("low", "低"),
    ("mail", "邮件"),
    ("mail_bounced", "邮件退回"),
    ("mail_clicked", "点击邮件"),
    ("mail_opened", "打开邮件"),
    ("mail_sent", "发送邮件"),
    ("mail_suppressed", "未发邮件"),
    ("meeting", "会面"),
    ("message_received", "收到消息"),
    ("met", "已达成"),
    ("negotiation", "谈判"),
    ("new", "新建"),
    ("next_reply", "后续回复"),
    ("normal", "普通"),
    ("note", "备注"),
    ("noted", "已记下"),
    ("notice", "通知"),
    ("offline", "离线"),
    ("on_hold", "搁置"),
    ("online", "在线"),
    ("open", "处理中"),
    ("out", "发出"),
    ("page_viewed", "浏览网页"),
    ("paid", "已付款"),
    ("paused", "已暂停"),
    ("phone", "电话"),
    ("placed", "已下单"),
    ("planning", "筹划中"),
    ("postponed", "已推迟"),
    ("problem", "故障"),
    ("proposal", "方案报价"),
    ("prospecting", "初步接触"),
    ("purchase", "购买"),
    ("qualification", "需求确认"),
    ("question", "咨询"),
    ("recycled", "回收"),
    ("renewed", "已续约"),
    ("request", "请求"),
    ("retried", "继续运行"),
    ("round_robin", "轮流分配"),
    ("run", "启动另一运行"),
    ("running", "计时中"),
    ("scheduled", "已排期"),
    ("sending", "发送中"),
    ("senior", "资深优先"),
    ("sent", "已发送"),
    ("shipped", "已发货"),
    ("silver", "银牌"),
    ("solution", "解决"),
    ("solved", "已解决"),
    ("standard", "标准"),
    ("started", "开始"),
    ("stopped", "已停止"),
    ("suppressed", "已抑制"),
    ("unknown", "结果未知"),
    ("urgent", "紧急"),
    ("waiting", "等待中"),
    ("waiting_for_customer", "待客户回复"),
    ("warning", "预警"),
    ("web", "网页"),
];

#[cfg(test)]
mod tests {
    use relata_app::model::{FieldType, Objects};

    use super::*;

    #[test]
    fn all_that_ships_has_a_chinese_word() {
        let mut missing = Vec::new();
        for object in Objects::standard().iter() {
            let mut look = |table, name: &str| {
                if found(table, name).is_none() {
                    missing.push(format!("{}: {name}", object.name));
                }
            };
            look(OBJECTS, &object.name);
            for (name, definition) in object.in_order() {
                look(FIELDS, name);
                if let FieldType::Choice(words) = &definition.kind {
                    words.iter().for_each(|word| look(CHOICES, word));
                }
            }
        }
        assert!(missing.is_empty(), "src/words.rs lacks\n{}", missing.join("\n"));
    }

    #[test]
    fn english_is_made_of_the_names() {
        let objects = Objects::standard();
        let plural = |name: &str| plural(objects.get(name).expect("a shipped object"), Lang::En);
        assert_eq!(plural("opportunity"), "Opportunities");
        assert_eq!(plural("survey_response"), "Survey responses");
        assert_eq!(plural("survey"), "Surveys");
        assert_eq!(field("reply_due_at", Lang::En), "Reply due");
        assert_eq!(choice("waiting_for_customer", Lang::En), "Waiting for customer");
    }
}
