//! The pages in `docs/reasons`: what a reason means, why, and an example.

/// The line that ends the generated head of a page.
const BEGIN: &str = "<!-- by hand -->\n";
/// The line that ends what is written by hand.
const END: &str = "<!-- generated -->\n";

/// The page of a reason. `cargo xtask docs` writes its head and its example around what is written by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    text: &'a str,
}

impl<'a> Page<'a> {
    /// The page with this text.
    #[must_use]
    pub const fn of(text: &'a str) -> Self {
        Self { text }
    }

    /// What it means and why, in Markdown.
    #[must_use]
    pub fn explanation(self) -> &'a str {
        let (_, rest) = self.text.split_once(BEGIN).unwrap_or_default();
        rest.split_once(END).map_or(rest, |(text, _)| text).trim()
    }

    /// An example as Markdown; empty where there is none.
    #[must_use]
    pub fn example(self) -> &'a str {
        let (_, example) = self.text.split_once(END).unwrap_or_default();
        example.trim()
    }

    /// The text of a page.
    #[must_use]
    pub fn text(head: &str, explanation: &str, example: &str) -> String {
        let text = format!("{head}\n{BEGIN}\n{explanation}\n\n{END}\n{example}");
        format!("{}\n", text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_it_was_written() {
        let text = Page::text("# Name\n", "It means\n\nthis.", "## Example\n");
        let page = Page::of(&text);
        assert_eq!(page.explanation(), "It means\n\nthis.");
        assert_eq!(page.example(), "## Example");
    }

    #[test]
    fn a_new_page_has_nothing() {
        let page = Page::of("");
        assert_eq!((page.explanation(), page.example()), ("", ""));
    }
}
