// One entry of a lexicon, as the build script packs it into the automaton and
// the plugin unpacks it. Included by both, so it stands on its own.

/// What a word does to the mood. A word may do several things: 好 is praise,
/// and before another word it means "very".
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Entry {
    /// Its own mood, -4 to 4.
    pub(crate) value: Option<f64>,
    /// How it changes the strength of what follows: in English added to it
    /// (VADER's boosters), in Chinese multiplied.
    pub(crate) degree: Option<f64>,
    /// Denied, it is what complaints are about: `received`.
    pub(crate) expected: bool,
    /// It denies what follows: `not`.
    pub(crate) negator: bool,
    /// It makes such a denial a complaint: `still`.
    pub(crate) impatience: bool,
    /// What follows counts more than what came before: `but`.
    pub(crate) contrast: bool,
}

const HAS_VALUE: u64 = 1;
const HAS_DEGREE: u64 = 1 << 1;
const EXPECTED: u64 = 1 << 2;
const NEGATOR: u64 = 1 << 3;
const IMPATIENCE: u64 = 1 << 4;
const CONTRAST: u64 = 1 << 5;
/// Numbers are kept in thousandths, moved up so that none is below 0.
const OFFSET: f64 = 32_768.0;

#[allow(dead_code)] // The build script packs, the plugin unpacks.
impl Entry {
    fn pack(&self) -> u64 {
        let number = |number: Option<f64>| number.map_or(0, |n| (n * 1_000.0 + OFFSET).round() as u64);
        let flag = |flag: bool, bit: u64| if flag { bit } else { 0 };
        flag(self.value.is_some(), HAS_VALUE)
            | flag(self.degree.is_some(), HAS_DEGREE)
            | flag(self.expected, EXPECTED)
            | flag(self.negator, NEGATOR)
            | flag(self.impatience, IMPATIENCE)
            | flag(self.contrast, CONTRAST)
            | number(self.value) << 8
            | number(self.degree) << 24
    }

    fn unpack(bits: u64) -> Self {
        let number = |shift: u32, has: u64| {
            (bits & has != 0).then(|| ((bits >> shift & 0xffff) as f64 - OFFSET) / 1_000.0)
        };
        Self {
            value: number(8, HAS_VALUE),
            degree: number(24, HAS_DEGREE),
            expected: bits & EXPECTED != 0,
            negator: bits & NEGATOR != 0,
            impatience: bits & IMPATIENCE != 0,
            contrast: bits & CONTRAST != 0,
        }
    }
}
