//! A parser for the cluster query language
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>).
//!
//! ```text
//! expression  = conjunction { ("||" | "or") conjunction }
//! conjunction = unary { ("&&" | "and") unary }
//! unary       = ("!" | "not") unary | "(" expression ")" | condition
//! condition   = subject operator [ argument ]
//! argument    = word | "[" word { "," word } "]"
//! ```
//!
//! The argument of a pattern operator ends at the next blank, or before the parenthesis that closes an earlier one.

/// The maximum nesting, so that no text can exhaust the stack.
const MAX_DEPTH: usize = 32;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Any of these.
    Or(Vec<Self>),
    /// All of these.
    And(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// One condition.
    Condition(Condition),
}

/// A condition: a subject, an operator, and the values to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// For instance `attribute:ecs.instance-type`.
    pub subject: String,
    /// The operator.
    pub operator: Operator,
    /// The values: none for `exists`, several for `in`, one for all other operators.
    pub values: Vec<String>,
}

/// The operators, each of which has two spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the query language")]
pub enum Operator {
    Equals,
    NotEquals,
    In,
    NotIn,
    Exists,
    NotExists,
    GreaterThan,
    GreaterThanEqual,
    LessThan,
    LessThanEqual,
    Matches,
    NotMatches,
}

impl Operator {
    /// The spellings of each operator.
    const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("==", Self::Equals),
        ("equals", Self::Equals),
        ("!=", Self::NotEquals),
        ("not_equals", Self::NotEquals),
        ("!in", Self::NotIn),
        ("not_in", Self::NotIn),
        ("in", Self::In),
        ("!exists", Self::NotExists),
        ("not_exists", Self::NotExists),
        ("exists", Self::Exists),
        (">=", Self::GreaterThanEqual),
        ("greater_than_equal", Self::GreaterThanEqual),
        (">", Self::GreaterThan),
        ("greater_than", Self::GreaterThan),
        ("<=", Self::LessThanEqual),
        ("less_than_equal", Self::LessThanEqual),
        ("<", Self::LessThan),
        ("less_than", Self::LessThan),
        ("=~", Self::Matches),
        ("matches", Self::Matches),
        ("!~", Self::NotMatches),
        ("not_matches", Self::NotMatches),
    ];

    /// Returns the first spelling, for messages.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        Self::SPELLINGS
            .iter()
            .find(|(_, operator)| *operator == self)
            .map_or("", |(symbol, _)| symbol)
    }

    /// Returns the operator that is true exactly when this one is false.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::Equals => Self::NotEquals,
            Self::NotEquals => Self::Equals,
            Self::In => Self::NotIn,
            Self::NotIn => Self::In,
            Self::Exists => Self::NotExists,
            Self::NotExists => Self::Exists,
            Self::GreaterThan => Self::LessThanEqual,
            Self::LessThanEqual => Self::GreaterThan,
            Self::LessThan => Self::GreaterThanEqual,
            Self::GreaterThanEqual => Self::LessThan,
            Self::Matches => Self::NotMatches,
            Self::NotMatches => Self::Matches,
        }
    }
}

/// The error in an expression, and its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column}")]
pub struct ExpressionError {
    /// What was expected.
    pub message: String,
    /// The character at which it was expected, counted from 1.
    pub column: usize,
}

/// Parses an expression.
///
/// # Errors
///
/// Returns the first error in the grammar, with its column.
pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
    let mut parser = Parser {
        text,
        position: 0,
        depth: 0,
    };
    let expression = parser.expression()?;
    match parser.rest().chars().next() {
        None => Ok(expression),
        Some(')') => Err(parser.error("unbalanced )")),
        Some(_) => Err(parser.error("expected && or ||")),
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Returns the rest of the text, without leading blanks.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let trimmed = rest.trim_start();
        self.position += rest.len() - trimmed.len();
        trimmed
    }

    fn error(&mut self, message: &str) -> ExpressionError {
        self.rest();
        let before = self.text.get(..self.position).unwrap_or_default();
        ExpressionError {
            message: message.to_owned(),
            column: before.chars().count() + 1,
        }
    }

    /// Consumes `symbol` if it is next.
    fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len();
        }
        found
    }

    /// Consumes the word `word` if it is next and ends there.
    fn take_word(&mut self, word: &str) -> bool {
        let found = self
            .rest()
            .strip_prefix(word)
            .is_some_and(|after| !after.starts_with(is_subject_character));
        if found {
            self.position += word.len();
        }
        found
    }

    fn expression(&mut self) -> Result<Expression, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        let mut alternatives = vec![self.conjunction()?];
        while self.take("||") || self.take_word("or") {
            alternatives.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(match alternatives.pop() {
            Some(only) if alternatives.is_empty() => only,
            last => Expression::Or(alternatives.into_iter().chain(last).collect()),
        })
    }

    fn conjunction(&mut self) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.unary()?];
        while self.take("&&") || self.take_word("and") {
            parts.push(self.unary()?);
        }
        Ok(match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => Expression::And(parts.into_iter().chain(last).collect()),
        })
    }

    fn unary(&mut self) -> Result<Expression, ExpressionError> {
        if self.take("!") || self.take_word("not") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.error("nested too deeply"));
            }
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expression::Not(Box::new(inner)));
        }
        if self.take("(") {
            let inner = self.expression()?;
            if !self.take(")") {
                return Err(self.error("expected )"));
            }
            return Ok(inner);
        }
        self.condition().map(Expression::Condition)
    }

    fn condition(&mut self) -> Result<Condition, ExpressionError> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !is_subject_character(c))
            .unwrap_or(rest.len());
        let Some(subject) = rest.get(..length).filter(|subject| !subject.is_empty()) else {
            return Err(self.error("expected a subject such as attribute:ecs.instance-type"));
        };
        self.position += length;
        let Some(operator) = self.operator() else {
            return Err(self.error("expected an operator such as ==, in or exists"));
        };
        let values = match operator {
            Operator::Exists | Operator::NotExists => Vec::new(),
            Operator::In | Operator::NotIn => self.list()?,
            Operator::Matches | Operator::NotMatches => vec![self.pattern()?],
            _ => vec![self.value()?],
        };
        Ok(Condition {
            subject: subject.to_owned(),
            operator,
            values,
        })
    }

    fn operator(&mut self) -> Option<Operator> {
        Operator::SPELLINGS
            .iter()
            .find(|(spelling, _)| {
                if spelling.ends_with(|c: char| c.is_ascii_alphabetic()) {
                    self.take_word(spelling)
                } else {
                    self.take(spelling)
                }
            })
            .map(|(_, operator)| *operator)
    }

    fn list(&mut self) -> Result<Vec<String>, ExpressionError> {
        if !self.take("[") {
            return Ok(vec![self.value()?]);
        }
        let mut values = vec![self.value()?];
        while self.take(",") {
            values.push(self.value()?);
        }
        if self.take("]") {
            Ok(values)
        } else {
            Err(self.error("expected , or ]"))
        }
    }

    fn value(&mut self) -> Result<String, ExpressionError> {
        let rest = self.rest();
        let end = rest
            .char_indices()
            .find(|(at, c)| {
                c.is_whitespace()
                    || matches!(c, ',' | '[' | ']' | '(' | ')')
                    || rest.get(*at..).is_some_and(starts_connective)
            })
            .map_or(rest.len(), |(at, _)| at);
        self.word(end)
    }

    fn pattern(&mut self) -> Result<String, ExpressionError> {
        let rest = self.rest();
        let mut open = 0_usize;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            let closes = c == ')' && open == 0;
            if c.is_whitespace() || closes || rest.get(at..).is_some_and(starts_connective) {
                end = at;
                break;
            }
            match c {
                '(' => open += 1,
                ')' => open -= 1,
                _ => {}
            }
        }
        self.word(end)
    }

    fn word(&mut self, length: usize) -> Result<String, ExpressionError> {
        match self.rest().get(..length).filter(|word| !word.is_empty()) {
            Some(word) => {
                self.position += length;
                Ok(word.to_owned())
            }
            None => Err(self.error("expected a value")),
        }
    }
}

const fn is_subject_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-')
}

fn starts_connective(text: &str) -> bool {
    text.starts_with("&&") || text.starts_with("||")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(subject: &str, operator: Operator, values: &[&str]) -> Expression {
        Expression::Condition(Condition {
            subject: subject.to_owned(),
            operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        })
    }

    #[test]
    fn every_operator_has_both_spellings() {
        for (text, operator, values) in [
            ("a == b", Operator::Equals, &["b"][..]),
            ("a equals b", Operator::Equals, &["b"]),
            ("a != b", Operator::NotEquals, &["b"]),
            ("a not_equals b", Operator::NotEquals, &["b"]),
            ("a in [b, c]", Operator::In, &["b", "c"]),
            ("a in b", Operator::In, &["b"]),
            ("a !in [b,c]", Operator::NotIn, &["b", "c"]),
            ("a not_in [b ,c]", Operator::NotIn, &["b", "c"]),
            ("a exists", Operator::Exists, &[]),
            ("a !exists", Operator::NotExists, &[]),
            ("a not_exists", Operator::NotExists, &[]),
            ("a > 1", Operator::GreaterThan, &["1"]),
            ("a greater_than 1", Operator::GreaterThan, &["1"]),
            ("a >= 1", Operator::GreaterThanEqual, &["1"]),
            ("a greater_than_equal 1", Operator::GreaterThanEqual, &["1"]),
            ("a < 1", Operator::LessThan, &["1"]),
            ("a less_than 1", Operator::LessThan, &["1"]),
            ("a <= 1", Operator::LessThanEqual, &["1"]),
            ("a less_than_equal 1", Operator::LessThanEqual, &["1"]),
            ("a =~ t2.*", Operator::Matches, &["t2.*"]),
            ("a matches t2.*|t3.*", Operator::Matches, &["t2.*|t3.*"]),
            ("a !~ (t2|t3).*", Operator::NotMatches, &["(t2|t3).*"]),
            ("a not_matches t2.*", Operator::NotMatches, &["t2.*"]),
            ("a==b", Operator::Equals, &["b"]),
        ] {
            assert_eq!(parse(text), Ok(condition("a", operator, values)), "{text}");
        }
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        let [a, b, c] = ["a", "b", "c"].map(|subject| condition(subject, Operator::Exists, &[]));
        let expected = Expression::Or(vec![
            a.clone(),
            Expression::And(vec![Expression::Not(Box::new(b.clone())), c.clone()]),
        ]);
        assert_eq!(
            parse("a exists || !b exists && c exists"),
            Ok(expected.clone())
        );
        assert_eq!(parse("a exists or not b exists and c exists"), Ok(expected));
        assert_eq!(
            parse("(a exists or b exists) and not(c exists)"),
            Ok(Expression::And(vec![
                Expression::Or(vec![a, b]),
                Expression::Not(Box::new(c)),
            ]))
        );
    }

    #[test]
    fn a_closing_parenthesis_ends_a_pattern() {
        assert_eq!(
            parse("(a =~ t2.*)"),
            Ok(condition("a", Operator::Matches, &["t2.*"]))
        );
    }

    #[test]
    fn errors_name_the_column() {
        for (text, message, column) in [
            (
                "",
                "expected a subject such as attribute:ecs.instance-type",
                1,
            ),
            ("a", "expected an operator such as ==, in or exists", 2),
            ("a = b", "expected an operator such as ==, in or exists", 3),
            ("a ==", "expected a value", 5),
            ("a in [b c]", "expected , or ]", 9),
            ("a in [b,]", "expected a value", 9),
            ("(a exists", "expected )", 10),
            ("a exists)", "unbalanced )", 9),
            ("a exists b exists", "expected && or ||", 10),
            (
                "a exists && ",
                "expected a subject such as attribute:ecs.instance-type",
                13,
            ),
            (
                "ä == b",
                "expected a subject such as attribute:ecs.instance-type",
                1,
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(
                (error.message.as_str(), error.column),
                (message, column),
                "{text}"
            );
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        for deep in ["(".repeat(100_000), "!".repeat(100_000)] {
            assert_eq!(
                parse(&deep).map_err(|e| e.message),
                Err("nested too deeply".to_owned())
            );
        }
    }
}
