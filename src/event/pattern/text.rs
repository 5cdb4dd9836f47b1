//! Tests of strings.

/// A test of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    Prefix(String),
    Suffix(String),
    PrefixIgnoringCase(Folded),
    SuffixIgnoringCase(Folded),
    EqualsIgnoringCase(Folded),
    Wildcard(Wildcard),
}

impl TextTest {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::PrefixIgnoringCase(folded) => folded.begins(text.chars()).is_some(),
            Self::SuffixIgnoringCase(folded) => folded.ends(text),
            Self::EqualsIgnoringCase(folded) => folded
                .begins(text.chars())
                .is_some_and(|mut rest| rest.next().is_none()),
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }
}

/// A text for comparisons that ignore case, by the simple mappings of Unicode: one character is equal to one character,
/// so `ß` is not `SS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folded(Vec<Spellings>);

/// A character, its lower case and its upper case.
type Spellings = [char; 3];

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        let spellings = |c: char| {
            let lower = single(c.to_lowercase()).unwrap_or(c);
            let upper = single(c.to_uppercase()).unwrap_or(c);
            [c, lower, upper]
        };
        Self(text.chars().map(spellings).collect())
    }

    /// Returns the characters after this text, if they begin with it.
    fn begins<I: Iterator<Item = char>>(&self, mut characters: I) -> Option<I> {
        self.0
            .iter()
            .all(|spellings| is_one_of(characters.next(), spellings))
            .then_some(characters)
    }

    fn ends(&self, text: &str) -> bool {
        let mut characters = text.chars().rev();
        self.0
            .iter()
            .rev()
            .all(|spellings| is_one_of(characters.next(), spellings))
    }
}

fn is_one_of(character: Option<char>, spellings: &Spellings) -> bool {
    character.is_some_and(|c| spellings.contains(&c))
}

/// Returns the character if there is just one.
fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

/// A text with stars for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// What stands before the first star, or everything.
    first: String,
    /// What stands between stars.
    middle: Vec<String>,
    /// What stands after the last star, if there is a star.
    last: Option<String>,
}

impl Wildcard {
    /// Parses a text in which `\*` and `\\` stand for a star and a backslash.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        let mut parts = vec![String::new()];
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if characters.peek() == Some(&'*') => {
                    return Err(("two stars stand together", "write one *"));
                }
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => {
                        let problem = "a backslash stands before neither * nor \\";
                        return Err((problem, "write \\\\ for a backslash, in JSON \\\\\\\\"));
                    }
                },
                literal => literal,
            };
            if let Some(part) = parts.last_mut() {
                part.push(literal);
            }
        }
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        let last = parts.next_back();
        Ok(Self {
            first,
            middle: parts.collect(),
            last,
        })
    }

    /// Takes time in proportion to the length of the text: the search of the standard library does, and nothing is
    /// searched twice, because a part that is found as early as possible leaves the most to the next ones.
    fn matches(&self, text: &str) -> bool {
        let Some(last) = &self.last else {
            return text == self.first;
        };
        let Some(mut rest) = text
            .strip_prefix(self.first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        for part in &self.middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        true
    }
}
