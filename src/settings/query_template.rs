//! Prometheus queries with placeholders.
//!
//! A value for a placeholder may be written by a tenant. It becomes the value of a label matcher, or a part of one, and
//! nothing else: it can neither end its quotes nor, in a regular expression, match anything but itself.

use std::fmt::Write as _;

/// A query with placeholders such as `<<namespace>>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// A text of the query.
    Text(String),
    /// A placeholder of this name.
    Placeholder(String, Place),
}

/// Where a placeholder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where PromQL has a number.
    Bare,
    /// In the quotes of the matcher of a label.
    Matcher(Matcher),
    /// In other quotes.
    Quoted,
    /// Between backticks, where nothing can be escaped.
    Raw,
    /// In a comment.
    Comment,
}

/// A matcher of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    /// Whether its value is a regular expression.
    pub(super) is_regex: bool,
    /// Whether it selects what has this value, and not everything else.
    pub(super) selects: bool,
    /// The position of the selector that it belongs to.
    pub(super) selector: usize,
}

const OPEN: &str = "<<";
const CLOSE: &str = ">>";

impl Template {
    /// Reads a query.
    ///
    /// # Errors
    ///
    /// When quotes or a placeholder do not end, or a backslash would escape the first character of a value.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut lexer = Lexer::default();
        let mut rest = query;
        while let Some((before, after)) = rest.split_once(OPEN) {
            lexer.read(before);
            let Some((name, after)) = after.split_once(CLOSE) else {
                return Err(format!("a placeholder does not end: {OPEN}{after}"));
            };
            if matches!(lexer.state, State::Quoted(_, true, _)) {
                return Err(format!("a backslash is before {OPEN}{name}{CLOSE}"));
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Placeholder(name.to_owned(), lexer.place()));
            // Whatever stands for it is no operator.
            lexer.operator.clear();
            rest = after;
        }
        lexer.read(rest);
        if matches!(lexer.state, State::Quoted(..)) {
            return Err("a quotation does not end".to_owned());
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Returns the placeholders, and where they are.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = (&str, Place)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name, place) => Some((name.as_str(), *place)),
            Part::Text(_) => None,
        })
    }

    /// Returns the query with these values in place of the placeholders; `None` if there is none for one of them.
    pub(super) fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut query = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => query.push_str(text),
                Part::Placeholder(name, place) => {
                    let value = value(name)?;
                    match place {
                        Place::Matcher(Matcher { is_regex: true, .. }) => {
                            query.push_str(&quoted(&literal(&value)));
                        }
                        _ => query.push_str(&quoted(&value)),
                    }
                }
            }
        }
        Some(query)
    }
}

/// Where in a query something is, as far as quotes and comments matter
/// (<https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals>).
#[derive(Default)]
struct Lexer {
    state: State,
    /// The operator just before.
    operator: String,
    /// How many selectors have begun.
    selectors: usize,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Outside,
    /// Between these quotes, and whether a backslash comes before.
    Quoted(char, bool, Place),
    Comment,
}

impl Lexer {
    fn read(&mut self, text: &str) {
        for character in text.chars() {
            self.state = self.after(character);
        }
    }

    fn after(&mut self, character: char) -> State {
        match (self.state, character) {
            (State::Outside, '#') => State::Comment,
            (State::Outside, '"' | '\'' | '`') => {
                let place = self.place_in(character);
                self.operator.clear();
                State::Quoted(character, false, place)
            }
            (State::Outside, _) => {
                self.selectors += usize::from(character == '{');
                match character {
                    '=' | '!' | '~' => self.operator.push(character),
                    _ if character.is_whitespace() => {}
                    _ => self.operator.clear(),
                }
                State::Outside
            }
            (State::Quoted(quote, true, place), _) => State::Quoted(quote, false, place),
            (State::Quoted(quote, false, place), '\\') if quote != '`' => {
                State::Quoted(quote, true, place)
            }
            (State::Quoted(quote, ..), _) if character == quote => State::Outside,
            (State::Comment, '\n') => State::Outside,
            (state, _) => state,
        }
    }

    /// Returns what begins with this quote.
    fn place_in(&self, quote: char) -> Place {
        let is_regex = match self.operator.as_str() {
            "=" | "!=" => false,
            "=~" | "!~" => true,
            _ => return Place::Quoted,
        };
        if quote == '`' {
            return Place::Raw;
        }
        Place::Matcher(Matcher {
            is_regex,
            selects: self.operator.starts_with('='),
            selector: self.selectors,
        })
    }

    const fn place(&self) -> Place {
        match self.state {
            State::Outside => Place::Bare,
            State::Quoted(.., place) => place,
            State::Comment => Place::Comment,
        }
    }
}

/// Returns a text that stays within its quotes, of whichever of both kinds they are.
fn quoted(value: &str) -> String {
    let mut escaped = String::new();
    for character in value.chars() {
        if matches!(character, '\\' | '"' | '\'' | '`') || character.is_control() {
            // Writing to a text does not fail. All of these characters have four digits.
            let _infallible = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Returns a regular expression that matches only this text
/// (<https://github.com/google/re2/wiki/Syntax>).
fn literal(value: &str) -> String {
    let mut literal = String::new();
    for character in value.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(query: &str) -> Vec<Place> {
        let template = Template::parse(query).expect("it is a query");
        template.placeholders().map(|(_, place)| place).collect()
    }

    const fn matcher(is_regex: bool, selects: bool, selector: usize) -> Place {
        Place::Matcher(Matcher {
            is_regex,
            selects,
            selector,
        })
    }

    #[test]
    fn places_of_placeholders_are_known() {
        let equal = matcher(false, true, 1);
        for (query, expected) in [
            (r#"a{b="<<x>>"} / <<x>>"#, vec![equal, Place::Bare]),
            (r"a{b!='x<<x>>'}", vec![matcher(false, false, 1)]),
            (r#"a{b =~ "<<x>>.*"}"#, vec![matcher(true, true, 1)]),
            (
                r#"a{b!~"<<x>>", c="<<x>>"} - d{c="{<<x>>"}"#,
                vec![matcher(true, false, 1), equal, matcher(false, true, 2)],
            ),
            (r#"label_replace(a, "b", "<<x>>")"#, vec![Place::Quoted]),
            (r#"{"<<x>>"}"#, vec![Place::Quoted]),
            (r"a{b=`<<x>>`}", vec![Place::Raw]),
            // A backslash before a quote does not end the text, and one before another does.
            (r#"a{b="\"<<x>>"}"#, vec![equal]),
            (r#"a{b="\\"} + <<x>>"#, vec![Place::Bare]),
            (r"a{b=`\`} + <<x>>", vec![Place::Bare]),
            (
                "a # it's \"<<x>>\n + <<x>>",
                vec![Place::Comment, Place::Bare],
            ),
            ("a{b=<<x>>\"<<x>>\"}", vec![Place::Bare, Place::Quoted]),
            (r#"a == "<<x>>""#, vec![Place::Quoted]),
        ] {
            assert_eq!(places(query), expected, "{query}");
        }
    }

    #[test]
    fn what_does_not_end_or_escapes_a_value_is_an_error() {
        for query in [
            "a{b=\"<<x}",
            "a{b=\"<<x>>}",
            "a{b='\\'}",
            "<<",
            r#"a{b="\<<x>>"}"#,
            r#"a{b="\<<x>>" or b="c"}"#,
        ] {
            assert!(Template::parse(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_value_stays_where_it_stands() {
        let filled = |query: &str, value: &str| {
            let template = Template::parse(query).expect("it is a query");
            template.fill(|_| Some(value.to_owned()))
        };
        for (query, value, expected) in [
            (
                r#"a{b="<<x>>"}"#,
                r#"c",d="e"#,
                r#"a{b="c\u0022,d=\u0022e"}"#,
            ),
            (
                r#"a{b="<<x>>"}"#,
                "\\\n'`",
                r#"a{b="\u005c\u000a\u0027\u0060"}"#,
            ),
            (r#"a{b="<<x>>"}"#, "c.d|ä", r#"a{b="c.d|ä"}"#),
            (
                r#"a{b=~"<<x>>-.*"}"#,
                "c|.*",
                r#"a{b=~"c\u005c|\u005c.\u005c*-.*"}"#,
            ),
            (r#"a{b=~"<<x>>"}"#, r"\d", r#"a{b=~"\u005c\u005cd"}"#),
        ] {
            assert_eq!(filled(query, value).as_deref(), Some(expected), "{query}");
        }
        let template = Template::parse("<<x>>").expect("it is a query");
        assert_eq!(template.fill(|_| None), None);
    }
}
