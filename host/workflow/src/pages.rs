//! The pages of `docs/errors`, in the program.

/// One line a page: the compiler finds those that are not there, a test those
/// that are not in the table.
macro_rules! pages {
    ($($code:literal)+) => {
        /// The code, and its page.
        const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../../docs/errors/", $code, ".md")))),+];
    };
}

pages! {
    "R001" "R002" "R003" "R004" "R005" "R006" "R007" "R008" "R009" "R010" "R011"
    "R101" "R102" "R103" "R104" "R105" "R106" "R107" "R108" "R109" "R110" "R111" "R112" "R113"
    "R114" "R115" "R116" "R117" "R118" "R119" "R120"
    "R201" "R202" "R203" "R204" "R205" "R206" "R207" "R208" "R209" "R210" "R211" "R212"
    "R301" "R302" "R303" "R304" "R305" "R306" "R307" "R308" "R309" "R310"
    "R401" "R402" "R403" "R404"
    "R501" "R502" "R503" "R504" "R505"
    "R601" "R602" "R603"
    "R701" "R702" "R703"
}

/// The page of a code, as Markdown: what it means, an example, and the mend.
#[must_use]
pub fn explain_page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}
