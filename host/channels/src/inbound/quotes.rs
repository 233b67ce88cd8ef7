//! What is new in a mail: without the mail that it answers, and without the
//! signature. What is not plain to see stays: to lose a customer's sentence is
//! worse than to keep a quotation.

/// So many lines below one that begins a header of Outlook's the others stand.
const HEADER_LINES: usize = 8;

/// What stands between an answer and the mail that it answers, within dashes.
const ORIGINAL: &[&str] = &[
    "original message",
    "original appointment",
    "ursprüngliche nachricht",
    "originalnachricht",
    "message d'origine",
    "mensaje original",
    "原始邮件",
    "原邮件",
    "原始郵件",
];

/// The names of senders in a header of Outlook's.
const FROM: &[&str] = &["from", "von", "de", "发件人", "寄件者", "寄件人"];

/// The names of its other fields.
const REST: &[&str] = &[
    "sent",
    "date",
    "to",
    "cc",
    "subject",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "à",
    "objet",
    "发送时间",
    "日期",
    "收件人",
    "抄送",
    "主题",
    "寄件日期",
    "收件者",
    "主旨",
    "发送日期",
];

/// What the last words of a line say that announces a quotation.
const WROTE: &[&str] = &[
    "wrote:",
    "schrieb:",
    "geschrieben:",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "写道:",
    "写道：",
    "寫道:",
    "寫道：",
];

/// What the first words of such a line say.
const WHEN: &[&str] = &["on ", "am ", "le ", "el ", "在 ", "在", "于"];

/// What telephones write below a mail.
const TELEPHONES: &[&str] = &[
    "sent from my ",
    "get outlook for ",
    "von meinem iphone gesendet",
    "von meinem ipad gesendet",
    "gesendet von meinem ",
    "holen sie sich outlook für ",
    "envoyé de mon ",
    "发自我的",
    "來自我的",
];

/// What the subject of a mail begins with that somebody passes on: what it
/// quotes is what it is about.
const FORWARDED: &[&str] = &["fw:", "fwd:", "wg:", "tr:", "转发:", "转发：", "轉寄:", "轉寄："];

/// What is new in a text; all of it where nothing else is.
pub(super) fn new_part(text: &str, subject: &str) -> String {
    let subject = subject.trim_start().to_lowercase();
    if FORWARDED.iter().any(|front| subject.starts_with(front)) {
        return text.to_owned();
    }
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(end) = (0..lines.len()).find(|&place| begins_old_mail(&lines[place..])) {
        lines.truncate(end);
    }
    let lines = without_quotation_at_end(&lines);
    let lines = without_signature(lines);
    let lines = without_telephone(lines);
    // Some answer below: then the quotation stands first.
    let lines = without_quotation_at_start(lines);
    let kept = lines.join("\n").trim().to_owned();
    if kept.is_empty() { text.to_owned() } else { kept }
}

/// Whether the mail that is answered begins here, without a `>`.
fn begins_old_mail(lines: &[&str]) -> bool {
    let Some(first) = lines.first().map(|line| line.trim()) else { return false };
    let dashed = first.trim_matches(['-', '_', '—', ' ']);
    if dashed.len() < first.len() && ORIGINAL.contains(&dashed.to_lowercase().as_str()) {
        return true;
    }
    // Without a `>` only what names an address is an announcement: people write
    // "On 3 May I wrote:" themselves.
    let named_address = lines.iter().take(2).any(|line| line.contains('@'));
    if named_address && announces(lines) && !is_quoted(next_line(lines)) {
        return true;
    }
    // A line of underscores stands above the header in some versions.
    let header = if first.len() >= 20 && first.chars().all(|c| c == '_') {
        lines.iter().position(|line| named(line, FROM)).filter(|place| *place <= 2)
    } else {
        named(first, FROM).then_some(0)
    };
    header.is_some_and(|place| {
        let below = lines[place + 1..].iter().take(HEADER_LINES);
        below.filter(|line| named(line, REST)).count() >= 2
    })
}

/// Whether a line is `Name: value`, with one of these names.
fn named(line: &str, names: &[&str]) -> bool {
    let line = line.trim().trim_start_matches(['*', ' ']);
    let Some((name, _)) = line.split_once([':', '：']) else { return false };
    names.contains(&name.trim_end_matches(['*', ' ']).to_lowercase().as_str())
}

/// Whether a quotation is announced here, by one line or by one that is folded:
/// `On Mon, 14 Dec 2026 at 09:00, Anna Weber <anna@example.com> wrote:`.
fn announces(lines: &[&str]) -> bool {
    let first = lines.first().map_or("", |line| line.trim()).to_lowercase();
    if !WHEN.iter().any(|front| first.starts_with(front)) {
        return false;
    }
    let second = lines.get(1).map_or("", |line| line.trim()).to_lowercase();
    // It has a number in it, of a day or a time.
    let ends = |text: &str| says_wrote(text) && text.chars().any(|c| c.is_ascii_digit());
    ends(&first) || (!first.is_empty() && ends(&format!("{first} {second}")))
}

/// Whether a line ends with the word that announces a quotation. German puts
/// the name behind it.
fn says_wrote(line: &str) -> bool {
    let end = WROTE.iter().any(|word| line.ends_with(word));
    end || (line.contains(" schrieb ") && line.ends_with(':'))
}

fn next_line<'t>(lines: &[&'t str]) -> &'t str {
    let mut below = lines.iter().skip(1).map(|line| line.trim()).filter(|line| !line.is_empty());
    let next = below.next().unwrap_or_default();
    // The other half of a line that is folded.
    if says_wrote(&next.to_lowercase()) { below.next().unwrap_or_default() } else { next }
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Without the lines with `>` that stand last, and what announces them.
fn without_quotation_at_end<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let last = lines.iter().rposition(|line| !is_quoted(line) && !is_blank(line));
    let kept = &lines[..last.map_or(0, |last| last + 1)];
    if !lines[kept.len()..].iter().any(|line| is_quoted(line)) {
        return lines;
    }
    let announced =
        (1..=2).find(|back| kept.len() >= *back && announces(&kept[kept.len() - back..]));
    &kept[..kept.len() - announced.unwrap_or(0)]
}

/// Without the lines with `>` that stand first, and what announces them, where
/// something stands below.
fn without_quotation_at_start<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else { return lines };
    let quoted = match lines[first..].iter().take(4).position(|line| is_quoted(line)) {
        Some(0) => first,
        Some(below) if announces(&lines[first..]) => first + below,
        _ => return lines,
    };
    let end = lines[quoted..].iter().position(|line| !is_quoted(line) && !is_blank(line));
    match end.map(|end| &lines[quoted + end..]) {
        // Who answers point by point needs what is answered.
        Some(rest) if !rest.iter().any(|line| is_quoted(line)) => rest,
        _ => lines,
    }
}

/// Without what stands below the line `-- ` (RFC 3676, 4.3), unless that is
/// more than a signature.
fn without_signature<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    const LONGEST: usize = 15;
    match lines.iter().rposition(|line| line.trim_end() == "--") {
        Some(place) if lines.len() - place - 1 <= LONGEST => &lines[..place],
        _ => lines,
    }
}

fn without_telephone<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let Some(last) = lines.iter().rposition(|line| !is_blank(line)) else { return lines };
    let line = lines[last].trim().to_lowercase();
    if TELEPHONES.iter().any(|front| line.starts_with(front)) { &lines[..last] } else { lines }
}
