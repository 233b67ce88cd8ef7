//! The files of `tests/data/` that the demonstration imports, embedded, so
//! that it runs anywhere.

/// The people who work here.
pub(super) const AGENTS: &[u8] = include_bytes!("../../../../tests/data/agents.csv");

/// The customers.
pub(super) const CONTACTS: &[u8] = include_bytes!("../../../../tests/data/contacts.csv");

/// What they bought in 18 months.
pub(super) const ORDERS: &[u8] = include_bytes!("../../../../tests/data/orders.csv");

/// The list of a fair.
pub(super) const LEADS: &[u8] = include_bytes!("../../../../tests/data/leads.csv");

/// What customers wrote. (Which of these are complaints is in a file beside
/// it that the demonstration does not know: finding them is the work.)
const MESSAGES: &str = include_str!("../../../../tests/data/messages.csv");

/// Some rows of the messages as a file of their own; the first row is 0.
pub(super) fn messages(rows: std::ops::Range<usize>) -> String {
    let mut lines = records(MESSAGES);
    let header = lines.next().unwrap_or_default();
    let wanted = lines.skip(rows.start).take(rows.len());
    std::iter::once(header).chain(wanted).collect()
}

/// The rows of a CSV text, each with its line end: a quoted cell may hold
/// line breaks.
fn records(csv: &str) -> impl Iterator<Item = &str> {
    let mut rest = csv;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = rest.char_indices().find_map(|(at, c)| match c {
            '"' => {
                quoted = !quoted;
                None
            }
            '\n' if !quoted => Some(at + 1),
            _ => None,
        });
        let (row, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        Some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_line_breaks_of_their_cells() {
        let rows: Vec<_> = records("a,b\n1,\"x\ny \"\"z\"\"\"\n2,w").collect();
        assert_eq!(rows, ["a,b\n", "1,\"x\ny \"\"z\"\"\"\n", "2,w"]);
    }

    #[test]
    fn there_are_sixty_messages() {
        assert_eq!(records(MESSAGES).count(), 61);
        assert!(messages(0..1).contains("\nm-001,"));
        assert!(!messages(0..1).contains("\nm-002,"));
        assert!(messages(59..60).contains("\nm-060,"));
    }
}
