//! The console's own words, in each language it speaks. One table: a word that
//! lacks a language does not compile, and one that no page says any more is a
//! warning.

/// Puts values into the places of a text: `{}` one after the other.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut values = values.iter();
    for (number, piece) in text.split("{}").enumerate() {
        if number > 0 {
            filled.push_str(values.next().copied().unwrap_or_default());
        }
        filled.push_str(piece);
    }
    filled
}

macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)+) => {
        /// Every text, by its name.
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) struct Texts {
            $(pub(crate) $name: &'static str,)+
        }

        impl Texts {
            pub(crate) const EN: Self = Self { $($name: $en,)+ };
            pub(crate) const ZH: Self = Self { $($name: $zh,)+ };
            #[cfg(test)]
            const ALL: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($name), $en, $zh),)+];
        }
    };
}

texts! {
    // On every page.
    skip: "Skip to the content", "跳到正文";
    language: "中文", "English";
    colours: "Colours", "配色";
    colours_auto: "As the system", "跟随系统";
    colours_light: "Light", "浅色";
    colours_dark: "Dark", "深色";
    log_out: "Log out", "退出登录";
    presence: "Presence", "在线状态";
    set_presence: "Set to", "设为";
    navigation: "Main navigation", "主导航";
    inbox: "Inbox", "收件箱";
    tasks: "Tasks", "任务";
    approvals: "Approvals", "审批";
    customers: "Customers", "客户";
    all_records: "All records", "全部记录";
    automation: "Automation", "自动化";
    workflows: "Workflows", "工作流";
    runs: "Runs", "运行";
    routing: "Routing", "分派";
    plugins: "Plugins", "插件";
    admin: "Administration", "管理";
    back: "Back", "返回";
    more: "More", "更多";
    next_page: "Next page", "下一页";
    first_page: "First page", "第一页";
    save: "Save", "保存";
    cancel: "Cancel", "取消";
    search: "Search", "搜索";
    nobody: "nobody", "无人";
    yes: "yes", "是";
    no: "no", "否";

    // Times.
    just_now: "just now", "刚刚";
    time_ago: "{} ago", "{}前";
    time_ahead: "in {}", "{}后";
    minutes: "{} min", "{} 分钟";
    hours: "{} h", "{} 小时";
    days: "{} d", "{} 天";

    // What went wrong.
    forbidden_title: "This is not for you", "您无权查看";
    forbidden_record: "Your roles do not allow this: {}", "您的角色不允许此操作：{}";
    forbidden_mend: "Ask an administrator for a role that allows it.", "请向管理员申请相应的角色。";
    not_found_title: "There is nothing here", "此处没有内容";
    not_found_what: "The page or record does not exist, or no longer does.", "该页面或记录不存在，或已被删除。";
    not_found_mend: "Look for it in a list, or go back to the inbox.", "请在列表中查找，或返回收件箱。";
    wrong_title: "This did not work", "操作未成功";
    wrong_mend: "Go back, change it, and try again. Nothing was written.", "请返回修改后重试。没有写入任何内容。";
    foreign_title: "This form was not sent from here", "该表单并非由本页面发出";
    foreign_what: "It came from another site, or from a page of an earlier session. Nothing was written.", "它来自其他网站，或来自之前会话的页面。没有写入任何内容。";
    foreign_mend: "Open the page again and send the form from there.", "请重新打开页面后再提交。";
    unwell_title: "Something is wrong on our side", "系统出现故障";
    unwell_what: "The page could not be made. Nothing was lost; the host’s log says why.", "页面无法生成。数据没有丢失，原因已写入主机日志。";
    unwell_mend: "Try again in a moment.", "请稍后重试。";

    // In and out.
    log_in: "Log in", "登录";
    log_in_lead: "Log in to {}", "登录 {}";
    email: "E-mail", "电子邮箱";
    password: "Password", "密码";
    code: "Six-digit code", "六位验证码";
    code_hint: "From the app on your telephone.", "请查看手机上的验证器应用。";
    log_in_refused: "The e-mail address, the password or the code is wrong.", "邮箱、密码或验证码不正确。";
    too_many_tries: "Too many tries. Wait {} seconds and try again.", "尝试次数过多，请等待 {} 秒后重试。";
    log_in_help: "No user yet? On the host, “relata user create” makes one.", "还没有用户？请在主机上运行 “relata user create” 创建。";
    new_password: "Your password", "修改密码";
    new_password_what: "You log in again with the new one. All your other sessions end.", "修改后请用新密码重新登录，其他会话将全部结束。";
    password_was: "The password so far", "当前密码";
    password_new: "The new one, 10 characters at least", "新密码（至少 10 个字符）";
    password_again: "The new one again", "再次输入新密码";
    passwords_differ: "The new password was not written the same way twice.", "两次输入的新密码不一致。";
    password_refused: "The password so far is wrong.", "当前密码不正确。";

    // Inbox.
    view_mine: "Mine", "我的";
    view_queues: "My queues", "我的队列";
    view_unassigned: "Unassigned", "未分配";
    view_open: "All open", "全部未结";
    view_waiting: "Waiting", "等待中";
    views: "Views", "视图";
    empty_mine: "Nothing is yours to do. Take a ticket from “My queues” or “Unassigned”.", "您暂无待办工单。可以从“我的队列”或“未分配”中领取。";
    empty_queues: "No ticket waits in your team’s queues.", "您团队的队列中没有等待的工单。";
    empty_unassigned: "Every open ticket has somebody who looks after it.", "所有未结工单都有人负责。";
    empty_open: "No open tickets. New ones come by mail, web form or API.", "没有未结工单。新工单来自邮件、网页表单或接口。";
    empty_waiting: "None of your tickets waits for a customer or a third party.", "您没有等待客户或第三方的工单。";
    choose_ticket: "Choose a ticket on the left.", "请在左侧选择一张工单。";
    no_customer: "no customer", "无客户";
    overdue: "overdue {}", "超时 {}";
    due_in: "{} left", "剩余 {}";
    due_reply: "Reply due {}", "回复期限 {}";
    due_solution: "Solution due {}", "解决期限 {}";

    // Ticket.
    conversation: "Conversation", "对话";
    whole_message: "The whole message", "查看全文";
    all_messages: "All messages", "全部消息";
    file_unnamed: "File without a name", "未命名文件";
    file_not_kept: "too large, not kept", "过大，未保存";
    files_to_send: "Files", "附件";
    files_too_much: "The files are more than {} MiB together. Choose fewer or smaller ones; what you wrote is still here.", "附件合计超过 {} MiB，请减少附件或选择较小的文件；您填写的内容仍在。";
    empty_message: "Nothing is written yet.", "还没有填写内容。";
    changed_meanwhile: "Somebody else has changed it meanwhile. Look at it again, then send.", "其他人刚刚修改过，请核对后再提交。";
    reply: "Reply", "回复";
    reply_to: "Reply to {}", "回复 {}";
    reply_send: "Send", "发送";
    reply_and: "Then", "之后";
    reply_waits: "wait for the customer", "等待客户";
    reply_solves: "solved", "标记为已解决";
    reply_stays: "leave it open", "保持处理中";
    reply_no_address: "The customer has no e-mail address, so no reply can be sent. Add one to the contact, or write a note.", "该客户没有电子邮箱，无法发送回复。请为联系人补充邮箱，或填写备注。";
    reply_no_customer: "The ticket has no customer to reply to. Set the customer in its record, or write a note.", "工单没有客户，无法回复。请在工单记录中设置客户，或填写备注。";
    reply_closed: "The ticket is closed. Open it again to reply.", "工单已关闭，重新打开后才能回复。";
    note: "Internal note", "内部备注";
    note_hint: "Seen by colleagues only.", "仅同事可见。";
    note_add: "Add note", "添加备注";
    wrote: "{} wrote", "{} 写道";
    noted: "{} noted", "{} 备注";
    replied: "{} replied", "{} 回复";
    take_it: "Take it", "领取";
    hand_to: "Hand to", "转交给";
    hand_over: "Hand over", "转交";
    give_back: "back to its queue", "退回队列";
    move_to: "Move to", "改为";
    why_me: "Why me?", "为什么是我？";
    why_owner: "Why {}?", "为什么是 {}？";
    why_nothing: "Nobody has decided about it yet.", "尚无分派决定。";
    by_hand_of: "by {}", "由 {}";
    given_to: "given to {}", "分派给 {}";
    put_into: "put into {}", "放入 {}";
    news_of_list: "{}: {}", "{}：{}";
    news_of_talk: "{}; {} messages, the last: {}", "{}；共 {} 条消息，最新：{}";
    news_of_run: "{}; {} entries", "{}；共 {} 条记录";
    promised: "Promised", "服务承诺";
    within: "within {}", "时限 {}";
    waits_since: "waits since", "开始等待";
    if_resumed: "if it went on now", "若现在恢复计时";
    came_at: "came", "完成于";
    hours_of: "Hours", "工作时间";
    taken_from_all: "given to nobody", "未分派";
    looked_at: "Who was looked at", "考察对象";
    details: "Details", "详情";
    whole_record: "Whole record", "完整记录";
    customer: "Customer", "客户";
    open_tickets: "Open tickets", "未结工单";
    last_complaints: "Last complaints", "最近投诉";
    no_complaints: "No complaints so far.", "暂无投诉。";
    no_open_tickets: "No other open tickets.", "没有其他未结工单。";
    timeline: "Timeline", "时间线";
    whole_timeline: "Whole timeline", "完整时间线";
    customer_hidden: "Your roles do not show you this customer.", "您的角色无权查看该客户。";
    list: "List", "列表";

    // Records.
    object: "Object", "对象";
    name_in_files: "Name in files", "文件中的名称";
    what_it_is: "What it is", "说明";
    fields: "Fields", "字段";
    field: "Field", "字段";
    value: "Value", "值";
    comparison: "Comparison", "比较";
    is_equal: "is", "等于";
    is_not: "is not", "不等于";
    contains: "contains", "包含";
    is_less: "is less than", "小于";
    is_at_most: "is at most", "至多";
    is_more: "is more than", "大于";
    is_at_least: "is at least", "至少";
    is_empty: "is empty:", "为空：";
    table: "Table", "表格";
    board: "Board", "看板";
    create: "New", "新建";
    new_record: "New: {}", "新建{}";
    edit: "Edit", "编辑";
    delete: "Delete", "删除";
    delete_sure: "The log keeps its last image.", "日志中会保留最后一次的内容。";
    add: "Add", "添加";
    add_condition: "Add a condition", "添加条件";
    columns: "Columns", "列";
    show: "Show", "显示";
    all: "All", "全部";
    without: "without this", "去除此条件";
    without_conditions: "Without conditions", "清除条件";
    nothing_found: "Nothing meets all of this", "没有符合条件的记录";
    found_partly: "More are called so than were looked at. Give more of the name.", "同名记录太多，仅查看了其中一部分。请输入更完整的名称。";
    nothing_found_mend: "Take a condition away, or look for another text.", "请去除某个条件，或换一个关键词。";
    no_records: "None yet", "暂无记录";
    no_records_mend: "Make one with “New”, or take a file in:", "点击“新建”，或导入文件：";
    required: "required", "必填";
    revision: "Revision", "版本";
    nothing_in_stage: "None here.", "此处为空。";
    newest_of_stage: "the newest {}", "最新 {} 条";

    // Tasks and approvals.
    tasks_mine: "Mine", "我的";
    tasks_done: "Done", "已完成";
    tasks_all: "All open", "全部未完成";
    tasks_empty: "No open tasks. “New” makes one; workflows make them too.", "没有未完成的任务。可点击“新建”，工作流也会自动创建。";
    task_done: "Done", "完成";
    task_reopen: "Open again", "重新打开";
    about: "About", "相关";
    due: "Due", "截止";
    approvals_empty: "Nobody waits for your answer.", "没有等待您答复的审批。";
    approval_comment: "Comment", "评论";
    approval_abandoned: "The run that asked has ended: an answer changes nothing.", "提问的运行已结束，答复不会产生影响。";
    late: "too late", "已过期";

    // Runs.
    run: "Run", "运行";
    run_text: "Text in it", "包含文字";
    run_error: "Error", "错误信息";
    run_since: "Begun since", "开始于";
    run_dead: "given up", "已放弃";
    run_remark: "Stands at, or why it ended", "当前步骤或结束原因";
    status: "Status", "状态";
    workflow: "Workflow", "工作流";
    began: "Began", "开始";
    ended: "Ended", "结束";
    no_runs: "No runs yet", "暂无运行";
    no_runs_mend: "Runs begin when something happens that an active workflow waits for.", "当发生已激活工作流所等待的事件时，运行才会开始。";
    retry: "Let it go on", "继续运行";
    retry_from: "From the step", "从该步骤开始";
    retry_from_hint: "its line; empty: where it failed", "行号；留空则从失败处继续";
    cancel_run: "End it", "终止";
    why: "Why", "原因";
    steps: "Steps", "步骤";
    steps_left_out: "{} earlier entries", "更早的 {} 条";
    whole_run: "the run", "整个运行";
    attempt: "attempt", "尝试";
    line: "line", "行";
    wrote_record: "wrote", "写入";
    not_sent: "not sent", "未发送";
    input_output: "Input and output", "输入与输出";
    input: "Input", "输入";
    output: "Output", "输出";
    children: "Runs that it began", "由其启动的运行";
    begun_by: "Begun by", "启动者";
    version: "Version", "版本";
    queued_starts: "Starts that wait", "等待的启动";
    waits_for: "Waits for", "正在等待";
    ends_before: "Ends early when", "提前结束的条件";

    // Workflows.
    is_active: "active", "已激活";
    not_active: "not active", "未激活";
    active_since: "Active since", "激活时间";
    started_by: "Started by", "启动方式";
    no_workflows: "No workflow is active", "没有已激活的工作流";
    no_workflows_mend: "Open one of the files below and activate it, or write a new one.", "请打开下方的文件并激活，或新建一个。";
    in_the_folder: "In the folder workflows/, and never active", "workflows/ 文件夹中尚未激活的文件";
    in_the_folder_what: "Open one to check, test and activate it.", "打开后可检查、测试并激活。";
    text: "Text (YAML)", "文本（YAML）";
    check: "Check", "检查";
    run_tests: "Run the tests", "运行测试";
    tests: "Tests", "测试";
    activate: "Activate", "激活";
    running: "Runs of earlier versions", "旧版本的运行";
    running_finish: "earlier runs finish", "旧运行继续完成";
    running_restart: "earlier runs begin again", "旧运行重新开始";
    running_cancel: "earlier runs end", "旧运行终止";
    deactivate: "Deactivate", "停用";
    deactivate_sure: "Nothing starts it any more. Runs that go on come to their end.", "将不再启动新的运行，进行中的运行会继续完成。";
    differs_from_file: "What is active is another text than the file", "当前激活的内容与文件不同：";
    findings: "What was found", "检查结果";
    found_count: "{} found", "发现 {} 处问题";
    leave_editor: "Tab indents; Escape and then Tab leaves the text. Ctrl+Space offers what can stand here.", "Tab 键缩进；先按 Esc 再按 Tab 可离开文本。Ctrl+空格 显示可填写的内容。";
    completions: "What can stand here", "可填写的内容";
    close: "Close", "关闭";
    no_findings: "Nothing is wrong with it.", "没有发现问题。";
    not_activated: "It was not activated: see what was found.", "未能激活，请查看检查结果。";
    no_tests: "There are no tests yet. Write some under “Tests”.", "还没有测试。请在“测试”中编写。";
    tests_on_host: "This host was started with a database that its files do not name: run “relata test” there.", "本主机启动时指定了配置文件之外的数据库，请在主机上运行 “relata test”。";
    cases_of: "{} cases, {} fail", "{} 个用例，{} 个失败";
    holds: "holds", "通过";
    fails: "fails", "失败";
    coverage: "Ways gone:", "覆盖率：";
    picture: "The workflow as a picture", "工作流示意图";
    versions: "Versions", "版本";
    never_active: "It was never active.", "从未激活。";
    deactivated: "deactivated", "已停用";
    difference: "Difference", "差异";
    no_difference: "Both versions have the same text.", "两个版本内容相同。";

    // Routing.
    queues: "Queues", "队列";
    queue: "Queue", "队列";
    team: "Team", "团队";
    policy: "Who gets it", "分配策略";
    skills: "Skills", "技能";
    waiting: "Waiting", "等待数";
    oldest: "Longest", "最久";
    no_queues: "There are no queues. Make one under “All records”.", "没有队列。可在“全部记录”中新建。";
    agents: "Agents", "客服";
    agent: "Agent", "客服";
    no_agents: "Nobody works here yet. On the host:", "还没有用户。请在主机上运行：";
    has_now: "Has now", "当前工单";
    capacity: "Capacity", "容量";
    last_decisions: "Last decisions", "最近的分派决定";
    ticket: "Ticket", "工单";
    when: "When", "时间";
    went_to: "Went to", "分派给";
    decided_by: "Decided by", "决定者";

    // The simulator of routing.
    simulator: "Simulator", "分派模拟";
    simulator_what: "Who would get a ticket like this? The active workflows and their plugins decide, on the records as they are. Nothing is written, and nothing goes out.", "这样的工单会分派给谁？由已激活的工作流及其插件根据当前数据决定。不会写入任何内容，也不会发送任何消息。";
    simulate: "Try it", "模拟";
    how_many: "Tickets", "工单数";
    how_many_hint: "So many like it, one after another.", "依次到来的同类工单数量。";
    when_hint: "Empty: now.", "留空表示现在。";
    waited: "Minutes waited", "已等待分钟数";
    waited_hint: "Some queues ask for less after a while, or let it go on.", "有些队列在等待一段时间后会放宽要求或转到其他队列。";
    skills_hint: "With ; between them, beside those of the queue.", "用 ; 分隔，另加队列所要求的技能。";
    customer_hint: "Their e-mail address, or contact/…", "客户的电子邮箱，或 contact/…";
    takes_from_to: "takes {} to {}", "应为 {} 到 {}";
    no_time: "is no time; write 2026-12-14 10:00", "不是时间，请按 2026-12-14 10:00 填写";
    would_go_to: "It goes to {}", "分派给 {}";
    would_wait_in: "It waits in {}", "在 {} 中等待";
    would_go_nowhere: "It goes to nobody, and into no queue", "不会分派给任何人，也不进入任何队列";
    does_not_start: "does not start", "不会启动";
    of_like_it: "Of {} like it", "{} 张同类工单";
    would_get: "Gets", "分得";
    one_by_one: "One by one", "逐张查看";

    // Plugins.
    built_in: "built in", "内置";
    works: "works", "正常";
    not_called: "not called", "暂停调用";
    rolled_back: "went back", "已回退";
    actions: "Actions", "动作";
    may_do: "May", "权限";
    may_nothing: "Nothing.", "无。";
    limits: "Limits", "限制";
    limit_memory: "Memory", "内存";
    limit_cpu: "Processor", "处理器";
    limit_call: "A call", "单次调用";
    limit_writes: "Writes", "写入数";
    limit_http: "Web requests", "网络请求数";
    comes_from: "From", "来源";
    signed_by: "Signed by", "签名者";
    digest: "Digest", "摘要";

    // Administration.
    doctor: "Health", "健康检查";
    all_well: "Nothing is wrong.", "一切正常。";
    severity_note: "note", "提示";
    severity_warning: "warning", "警告";
    severity_error: "error", "错误";
    effects: "Messages that wait for a decision", "待决定的消息";
    no_effects: "Everything went out, or goes out by itself.", "所有消息均已发出或将自动发出。";
    effect: "Message", "消息";
    send_after_all: "Send", "发送";
    drop: "Drop", "放弃";
    held_mails: "Mails that are held", "被拦下的邮件";
    held_mails_what: "They came in and became no message. In the mailbox they stay, whatever is decided.", "这些邮件已收到但未成为消息。无论如何处理，邮箱中的原件都会保留。";
    no_held_mails: "No mail is held.", "没有被拦下的邮件。";
    more_held_mails: "And {} more, once these are decided.", "另有 {} 封，处理完以上邮件后显示。";
    take_in: "Take it in", "收下";
    users: "Users", "用户";
    user: "User", "用户";
    roles: "Roles", "角色";
    logs_in: "Can log in", "可登录";
    with_codes: "with a code", "需验证码";
    last_log_in: "Last log-in", "上次登录";
    new_user: "New user", "新建用户";
    name: "Name", "姓名";
    password_once: "This password is shown once. Whoever logs in with it chooses another one.", "此密码仅显示一次，首次登录后须修改。";
    audit: "Audit", "审计";
    no_audit: "Nothing was noted yet.", "暂无记录。";
    did: "Did", "操作";
    to_what: "To what", "对象";
    objects_and_fields: "Objects and fields", "对象与字段";
}

impl Texts {
    /// The comparisons of a list's conditions, in the order in which the list
    /// knows them.
    pub(crate) const fn comparisons(&self) -> [&'static str; 8] {
        [
            self.is_equal,
            self.is_not,
            self.contains,
            self.is_less,
            self.is_at_most,
            self.is_more,
            self.is_at_least,
            self.is_empty,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_places_for_values() {
        for (name, en, zh) in Texts::ALL {
            assert_eq!(en.matches("{}").count(), zh.matches("{}").count(), "{name}");
            assert!(!en.trim().is_empty() && !zh.trim().is_empty(), "{name}");
        }
    }

    #[test]
    fn values_come_into_their_places() {
        assert_eq!(fill("{} of {}", &["1", "2"]), "1 of 2");
        assert_eq!(fill("{} of {}", &["{}", "2"]), "{} of 2");
        assert_eq!(fill("none", &["1"]), "none");
    }
}
