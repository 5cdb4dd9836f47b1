//! Parses JSON text into trees. The parser is strict, and reports comments, trailing commas and placeholders by name.

use jsonc_parser::{ParseStringErrorKind, errors::ParseErrorKind, tokens::Token};

use super::{
    placeholder::placeholder_at,
    text::{Span, position},
    token::{scanner, simple},
    tree::{DEPTH_LIMIT, Member, Node, Parsed, SyntaxError, Value, duplicate_key},
};

/// The documents in a JSON text: a single one, JSON lines, or several in a row.
pub(super) struct JsonDocuments<'a> {
    text: &'a str,
    /// The position of the last token.
    token: Span,
    depth: usize,
}

impl<'a> JsonDocuments<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            token: Span::default(),
            depth: 0,
        }
    }

    /// Returns the next document, or `None` at the end. After an error, no more documents follow.
    pub(super) fn next_document(&mut self) -> Result<Option<Parsed<'a>>, SyntaxError> {
        if self.at_end() {
            return Ok(None);
        }
        let first = self.token.end == 0;
        let separated = self.upcoming().starts_with(',');
        let root = self.value().map_err(|mut error| {
            if !first && separated {
                error.message =
                    "write documents one after the other without a comma, or in a list".to_owned();
            }
            error
        })?;
        Ok(Some(Parsed {
            slice: root.span,
            root,
        }))
    }

    fn upcoming(&self) -> &'a str {
        let rest = self.text.get(self.token.end..).unwrap_or_default();
        let rest = rest.trim_ascii_start();
        match rest.as_bytes().first() {
            Some(b'!'..=b'~') | None => rest,
            Some(_) => rest.trim_start(),
        }
    }

    fn at_end(&self) -> bool {
        self.upcoming().is_empty()
    }

    fn token(&mut self) -> Result<Option<Token<'a>>, SyntaxError> {
        if let Some((token, span)) = simple(self.text, self.token.end) {
            self.token = span;
            return Ok(Some(token));
        }
        let start = self.token.end;
        let mut scanner = scanner(self.text.get(start..).unwrap_or_default());
        let scanned = scanner.scan();
        self.token = Span::new(scanner.token_start(), scanner.token_end()).shifted(start);
        match scanned {
            Ok(Some(Token::CommentLine(_) | Token::CommentBlock(_))) => {
                Err(SyntaxError::new(self.token, "JSON has no comments"))
            }
            Ok(Some(token @ Token::String(_))) => {
                self.check_string()?;
                Ok(Some(token))
            }
            Ok(token) => Ok(token),
            Err(error) => {
                let range = error.range();
                let span = Span::new(range.start, range.end).shifted(start);
                Err(SyntaxError::new(
                    span,
                    self.explain(error.kind(), span, start),
                ))
            }
        }
    }

    /// Rejects bytes that have to be escaped in a string; a line break mostly indicates a missing quote.
    fn check_string(&self) -> Result<(), SyntaxError> {
        let span = self.token;
        let bytes = self.text.as_bytes().get(span.range()).unwrap_or_default();
        let Some(at) = bytes.iter().position(|byte| *byte < b' ') else {
            return Ok(());
        };
        let offset = span.start + at;
        Err(match bytes.get(at) {
            Some(b'\n' | b'\r') => SyntaxError::new(
                Span::new(span.start, offset),
                "the string is not closed on its line",
            ),
            byte => SyntaxError::new(
                Span::new(offset, offset + 1),
                format!(
                    "a string cannot contain the control character U+{:04X} unescaped",
                    byte.copied().unwrap_or_default()
                ),
            ),
        })
    }

    fn value(&mut self) -> Result<Node<'a>, SyntaxError> {
        let upcoming = self.upcoming();
        if matches!(upcoming.as_bytes().first(), Some(b'{' | b'<' | b'$' | b'%'))
            && let Some(node) = self.placeholder(upcoming)
        {
            return Ok(node);
        }
        let token = self.token()?;
        self.value_of(token)
    }

    /// Parses a placeholder outside a string. It is parsed as if it had quotes, so that it is checked in its context:
    /// `--set` may fill it, and an unfilled number is reported with all other errors.
    fn placeholder(&mut self, upcoming: &'a str) -> Option<Node<'a>> {
        let found = placeholder_at(upcoming)?;
        let start = self.text.len() - upcoming.len();
        let span = Span::new(start, start + found.text.len());
        self.token = span;
        Some(Node {
            value: Value::String(found.text.into()),
            span,
        })
    }

    fn value_of(&mut self, token: Option<Token<'a>>) -> Result<Node<'a>, SyntaxError> {
        let span = self.token;
        let value = match token {
            Some(Token::OpenBrace) => return self.nested(span, Self::object),
            Some(Token::OpenBracket) => return self.nested(span, Self::list),
            Some(Token::String(text)) => Value::String(text),
            Some(Token::Number(text)) => Value::Number(text.into()),
            Some(Token::Boolean(true)) => Value::Bool("true".into()),
            Some(Token::Boolean(false)) => Value::Bool("false".into()),
            Some(Token::Null) => Value::Null,
            Some(Token::Word(word)) => {
                return Err(SyntaxError::new(
                    span,
                    format!("{word} needs double quotes"),
                ));
            }
            Some(token) => {
                let message = format!("expected a value, found `{}`", token.as_str());
                return Err(SyntaxError::new(span, message));
            }
            None => {
                return Err(SyntaxError::new(
                    span,
                    "the text ends where a value is expected",
                ));
            }
        };
        Ok(Node { value, span })
    }

    fn nested(
        &mut self,
        open: Span,
        content: fn(&mut Self, Span) -> Result<Value<'a>, SyntaxError>,
    ) -> Result<Node<'a>, SyntaxError> {
        if self.depth == DEPTH_LIMIT {
            let message = format!("nested deeper than {DEPTH_LIMIT} levels");
            return Err(SyntaxError::new(open, message));
        }
        self.depth += 1;
        let value = content(self, open)?;
        self.depth -= 1;
        Ok(Node {
            value,
            span: Span::new(open.start, self.token.end),
        })
    }

    /// Parses the members up to the closing brace.
    fn object(&mut self, open: Span) -> Result<Value<'a>, SyntaxError> {
        let mut members = Vec::new();
        let mut comma = None;
        loop {
            let (key, key_span) = match self.token()? {
                Some(Token::CloseBrace) => match comma {
                    None => break,
                    Some(comma) => return Err(SyntaxError::new(comma, TRAILING_COMMA)),
                },
                Some(Token::String(key)) => (key, self.token),
                token => return Err(self.no_key(token.as_ref(), open)),
            };
            match self.token()? {
                Some(Token::Colon) => {}
                token => return Err(self.no_colon(token.as_ref(), open)),
            }
            members.push(Member {
                key,
                key_span,
                value: self.value()?,
            });
            let end = self.token.end;
            match self.token()? {
                Some(Token::Comma) => comma = Some(self.token),
                Some(Token::CloseBrace) => break,
                token => return Err(self.no_comma(token.as_ref(), open, end, "an object")),
            }
        }
        if let Some(duplicate) = duplicate_key(&members) {
            return Err(twice(duplicate));
        }
        Ok(Value::Object(members))
    }

    /// Parses the elements up to the closing bracket.
    fn list(&mut self, open: Span) -> Result<Value<'a>, SyntaxError> {
        let mut elements = Vec::new();
        let mut comma = None;
        loop {
            match self.upcoming().as_bytes().first() {
                Some(b']') => {
                    self.token()?;
                    match comma {
                        None => break,
                        Some(comma) => return Err(SyntaxError::new(comma, TRAILING_COMMA)),
                    }
                }
                Some(_) => elements.push(self.value()?),
                None => return Err(self.unclosed(open, "a list")),
            }
            let end = self.token.end;
            match self.token()? {
                Some(Token::Comma) => comma = Some(self.token),
                Some(Token::CloseBracket) => break,
                token => return Err(self.no_comma(token.as_ref(), open, end, "a list")),
            }
        }
        Ok(Value::List(elements))
    }

    fn no_key(&self, token: Option<&Token<'a>>, open: Span) -> SyntaxError {
        match token {
            None => self.unclosed(open, "an object"),
            Some(Token::Word(word)) => {
                SyntaxError::new(self.token, format!("the name {word} needs double quotes"))
            }
            Some(token) => SyntaxError::new(
                self.token,
                format!(
                    "expected a name in double quotes, found `{}`",
                    token.as_str()
                ),
            ),
        }
    }

    fn no_colon(&self, token: Option<&Token<'a>>, open: Span) -> SyntaxError {
        match token {
            None => self.unclosed(open, "an object"),
            Some(token) => SyntaxError::new(
                self.token,
                format!("expected `:` after the name, found `{}`", token.as_str()),
            ),
        }
    }

    fn no_comma(
        &self,
        token: Option<&Token<'a>>,
        open: Span,
        end: usize,
        what: &str,
    ) -> SyntaxError {
        match token {
            None => self.unclosed(open, what),
            Some(token @ (Token::CloseBrace | Token::CloseBracket | Token::Colon)) => {
                let message = format!("`{}` is not allowed in {what}", token.as_str());
                SyntaxError::new(self.token, message)
            }
            Some(_) => SyntaxError::new(
                Span::new(end.saturating_sub(1), end),
                "a comma is missing after this value",
            ),
        }
    }

    fn unclosed(&self, open: Span, what: &str) -> SyntaxError {
        let line = position(self.text, open.start).line;
        let end = self.text.trim_end().len();
        SyntaxError::new(
            Span::new(end.saturating_sub(1), end),
            format!("the text ends inside {what} that begins on line {line}"),
        )
    }

    /// Returns this program's message for a scanner error.
    fn explain(&self, kind: &ParseErrorKind, span: Span, start: usize) -> String {
        let found = self.text.get(span.start..).unwrap_or_default();
        if let Some(placeholder) = placeholder_at(found)
            .or_else(|| placeholder_at(self.text.get(start..).unwrap_or_default().trim_start()))
        {
            let text = placeholder.text;
            return format!("{text} is outside a string: render the template first");
        }
        let before = self.text.get(..span.start).unwrap_or_default();
        if found.starts_with("<%")
            || found.starts_with("%{")
            || found.starts_with("${")
            || (found.starts_with('%') && before.ends_with('{'))
        {
            return "this is part of a template: render the template first".to_owned();
        }
        match kind {
            ParseErrorKind::SingleQuotedStringsNotAllowed => {
                "JSON strings have double quotes".to_owned()
            }
            ParseErrorKind::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
                "the string is not closed".to_owned()
            }
            ParseErrorKind::String(
                ParseStringErrorKind::InvalidEscape
                | ParseStringErrorKind::InvalidEscapeInDoubleQuoteString
                | ParseStringErrorKind::InvalidEscapeInSingleQuoteString,
            ) => "JSON has no such escape (a backslash itself is written \\\\)".to_owned(),
            ParseErrorKind::UnterminatedCommentBlock => "JSON has no comments".to_owned(),
            ParseErrorKind::UnexpectedToken | ParseErrorKind::UnexpectedWord => unexpected(found),
            kind => lower_first(&kind.to_string()),
        }
    }
}

const TRAILING_COMMA: &str = "trailing comma: JSON has no comma before a closing bracket";

/// Returns the error for a duplicate key.
pub(super) fn twice(member: &Member<'_>) -> SyntaxError {
    SyntaxError::new(
        member.key_span,
        format!("{} is given twice in this object", member.key),
    )
}

fn unexpected(found: &str) -> String {
    let word_end = found
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '.')))
        .unwrap_or(found.len());
    match (found.get(..word_end), found.chars().next()) {
        (Some(word), _) if !word.is_empty() => format!("{word} needs double quotes"),
        (_, Some('#')) => "JSON has no comments".to_owned(),
        (_, Some(c)) => format!("unexpected `{c}`"),
        (_, None) => "unexpected end of the text".to_owned(),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tree::print, *};

    fn parse(text: &str) -> Result<Vec<String>, (String, usize, usize)> {
        let mut documents = JsonDocuments::new(text);
        let mut found = Vec::new();
        loop {
            match documents.next_document() {
                Ok(Some(node)) => found.push(print(&node.root)),
                Ok(None) => return Ok(found),
                Err(error) => {
                    let at = position(text, error.span.start);
                    assert!(text.get(error.span.range()).is_some(), "{error:?}");
                    return Err((error.message, at.line, at.column));
                }
            }
        }
    }

    #[test]
    fn reads_one_or_many_documents() {
        for (text, expected) in [
            (
                r#" {"a": [1, -2.50e3, true, null, "x\nü"]} "#,
                vec![r#"{a:[1,-2.50e3,true,null,"x\nü"]}"#],
            ),
            ("{}\n{}\n", vec!["{}", "{}"]),
            ("{}[]\n\"x\"", vec!["{}", "[]", "\"x\""]),
            ("  \n", vec![]),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn spans_cover_their_values() {
        let text = r#"{"a": {"b": [10, "x"]}}"#;
        let node = JsonDocuments::new(text)
            .next_document()
            .unwrap()
            .unwrap()
            .root;
        let slice = |span: Span| &text[span.range()];
        let a = node.member("a").unwrap();
        assert_eq!(slice(a.key_span), "\"a\"");
        assert_eq!(slice(a.value.span), r#"{"b": [10, "x"]}"#);
        let b = a.value.get("b").unwrap();
        assert_eq!(slice(b.span), r#"[10, "x"]"#);
        assert_eq!(slice(b.elements().unwrap()[0].span), "10");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let deep = "[".repeat(100_000);
        let table: &[(&str, &str, usize, usize)] = &[
            ("{\n  // x\n}", "JSON has no comments", 2, 3),
            ("{\"a\": 1 /* x */}", "JSON has no comments", 1, 9),
            ("# x\n{}", "JSON has no comments", 1, 1),
            ("{\"a\": 1,\n}", TRAILING_COMMA, 1, 8),
            ("[1, 2, ]", TRAILING_COMMA, 1, 6),
            (
                "{\"a\": 1, \"a\": 2}",
                "a is given twice in this object",
                1,
                10,
            ),
            (
                "{\"a\": 1 \"b\": 2}",
                "a comma is missing after this value",
                1,
                7,
            ),
            ("[1 2]", "a comma is missing after this value", 1, 2),
            ("{a: 1}", "the name a needs double quotes", 1, 2),
            ("{\"a\": yes}", "yes needs double quotes", 1, 7),
            ("{'a': 1}", "JSON strings have double quotes", 1, 2),
            ("{\"a\" 1}", "expected `:` after the name, found `1`", 1, 6),
            (
                "{\"a\": \"x\n\"}",
                "the string is not closed on its line",
                1,
                7,
            ),
            (
                "{\"a\": \"x\ty\"}",
                "a string cannot contain the control character U+0009 unescaped",
                1,
                9,
            ),
            (
                "{\"a\": \"\\x\"}",
                "JSON has no such escape (a backslash itself is written \\\\)",
                1,
                8,
            ),
            ("{\"a\": [1}", "`}` is not allowed in a list", 1, 9),
            (
                "\n{\"a\": [",
                "the text ends inside a list that begins on line 2",
                2,
                7,
            ),
            ("{\"a\": ", "the text ends where a value is expected", 1, 7),
            (
                "{\"a\": <% if b %>}",
                "this is part of a template: render the template first",
                1,
                7,
            ),
            (
                "[\n  {% for a in b %}\n]",
                "this is part of a template: render the template first",
                2,
                4,
            ),
            (
                "{\"a\": ${jsonencode(b)}}",
                "this is part of a template: render the template first",
                1,
                7,
            ),
            (
                "{},{}",
                "write documents one after the other without a comma, or in a list",
                1,
                3,
            ),
            (&deep, "nested deeper than 64 levels", 1, 65),
        ];
        for (text, message, line, column) in table {
            let (found, at_line, at_column) = parse(text).unwrap_err();
            let shown = text.get(..40).unwrap_or(text);
            assert_eq!(found, *message, "{shown}");
            assert_eq!((at_line, at_column), (*line, *column), "{shown}");
        }
    }

    #[test]
    fn placeholders_may_stand_bare() {
        assert_eq!(
            parse(r#"{"cpu": {{ cpu }}, "b": [${cpu}, 1]}"#).unwrap(),
            [r#"{cpu:"{{ cpu }}",b:["${cpu}",1]}"#]
        );
    }
}
