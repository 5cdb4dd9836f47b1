//! Converts character offsets in a text to byte offsets.

/// The parser counts characters; the byte offset of every 256th is stored.
pub(super) struct Offsets<'a> {
    text: &'a str,
    /// Empty for ASCII, where both counts are equal.
    known: Vec<usize>,
}

impl<'a> Offsets<'a> {
    const STEP: usize = 256;

    pub(super) fn new(text: &'a str) -> Self {
        let known = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .step_by(Self::STEP)
                .map(|(byte, _)| byte)
                .collect()
        };
        Self { text, known }
    }

    /// Returns the byte at which a character begins.
    pub(super) fn byte(&self, character: usize) -> usize {
        if self.known.is_empty() {
            return character.min(self.text.len());
        }
        let Some(start) = self.known.get(character / Self::STEP).copied() else {
            return self.text.len();
        };
        self.text
            .get(start..)
            .and_then(|rest| rest.char_indices().nth(character % Self::STEP))
            .map_or(self.text.len(), |(byte, _)| start + byte)
    }
}
