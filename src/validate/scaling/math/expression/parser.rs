//! Reads expressions.

use super::{Aggregate, Expression, Function, Operator};

/// The longest expression, as in CloudWatch.
const LONGEST: usize = 2048;
/// How deep parentheses may be.
const DEEPEST: usize = 32;

/// What an expression may refer to.
#[derive(Clone, Copy)]
pub(in super::super) struct Entries<'e> {
    /// The names of all entries.
    pub(in super::super) names: &'e [&'e str],
    /// Whether an entry is a metric, and not an expression.
    pub(in super::super) is_metric: &'e [bool],
    /// The seconds of a period.
    pub(in super::super) period: i64,
}

/// Reads an expression over entries.
///
/// # Errors
///
/// What of it is not understood, or has no value for a period.
pub(in super::super) fn parse(text: &str, entries: Entries<'_>) -> Result<Expression, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} characters"));
    }
    let mut parser = Parser {
        rest: text,
        entries,
        depth: 0,
    };
    let found = parser.any()?.one()?;
    match parser.peek() {
        Some(_) => Err(parser.unexpected()),
        None => Ok(found),
    }
}

/// What a part of an expression stands for.
enum Value {
    One(Expression),
    /// An array, which only some functions take.
    Several(Vec<Expression>),
}

impl Value {
    fn one(self) -> Result<Expression, String> {
        match self {
            Self::One(value) => Ok(value),
            Self::Several(_) => {
                let why = "an array is more than one value: use SUM, AVG, MAX or MIN of it";
                Err(why.to_owned())
            }
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
    entries: Entries<'t>,
    depth: usize,
}

/// The operators from those that bind the least, each level in the order in which they are looked for.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or), ("OR", Operator::Or)],
    &[("&&", Operator::And), ("AND", Operator::And)],
    &[
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];
/// The level of comparisons, of which there is one at most.
const COMPARISONS: usize = 2;

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
        let found = self.level(0);
        self.depth -= 1;
        found
    }

    fn one(&mut self) -> Result<Expression, String> {
        self.any()?.one()
    }

    fn level(&mut self, level: usize) -> Result<Value, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.signed();
        };
        let mut found = self.level(level + 1)?;
        let mut count = 0;
        while let Some(operator) = self.operator(operators) {
            count += 1;
            if level == COMPARISONS && count > 1 {
                return Err("it compares more than two values: use parentheses".to_owned());
            }
            let right = self.level(level + 1)?.one()?;
            found = Value::One(Expression::Binary(
                operator,
                Box::new([found.one()?, right]),
            ));
        }
        Ok(found)
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        self.peek();
        let (text, operator) = operators.iter().find(|(text, _)| {
            let after = self.rest.strip_prefix(text);
            // OR and AND are words.
            let is_word = text.starts_with(char::is_alphabetic);
            after.is_some_and(|after| !(is_word && after.starts_with(is_of_name)))
        })?;
        self.rest = &self.rest[text.len()..];
        Some(*operator)
    }

    fn signed(&mut self) -> Result<Value, String> {
        let mut is_negative = false;
        while self.takes("-") {
            is_negative = !is_negative;
        }
        let mut found = self.primary()?;
        if self.takes("^") {
            let right = self.after_power()?;
            if self.takes("^") {
                return Err("it has a power of a power: use parentheses".to_owned());
            }
            let both = Box::new([found.one()?, right]);
            found = Value::One(Expression::Binary(Operator::Power, both));
        }
        if is_negative {
            let of = Box::new(found.one()?);
            found = Value::One(Expression::Of(Function::Negative, of));
        }
        Ok(found)
    }

    fn after_power(&mut self) -> Result<Expression, String> {
        if self.takes("-") {
            let of = Box::new(self.primary()?.one()?);
            return Ok(Expression::Of(Function::Negative, of));
        }
        self.primary()?.one()
    }

    fn primary(&mut self) -> Result<Value, String> {
        let next = self.peek().ok_or("it ends where a value has to follow")?;
        if self.takes("(") {
            let found = self.any()?;
            self.needs(")")?;
            return Ok(found);
        }
        if self.takes("[") {
            return self.arguments("]").map(Value::Several);
        }
        if next.is_ascii_digit() || next == '.' {
            return self.number().map(Value::One);
        }
        if !next.is_ascii_alphabetic() {
            return Err(self.unexpected());
        }
        let name = self.name();
        if self.takes("(") {
            return self.call(name);
        }
        let mut names = self.entries.names.iter();
        let at = names.position(|it| *it == name);
        let at = at.ok_or_else(|| format!("no entry has the Id {name}"))?;
        Ok(Value::One(Expression::Entry(at)))
    }

    fn call(&mut self, name: &str) -> Result<Value, String> {
        let aggregate = match name {
            "AVG" => Some(Aggregate::Avg),
            "MAX" => Some(Aggregate::Max),
            "MIN" => Some(Aggregate::Min),
            "SUM" => Some(Aggregate::Sum),
            _ => None,
        };
        if let Some(aggregate) = aggregate {
            let Value::Several(of) = self.any()? else {
                return Err(format!(
                    "{name} of one metric is one value for all periods: name several in an array, as in {name}([m1, m2])"
                ));
            };
            self.needs(")")?;
            return Ok(Value::One(Expression::Aggregate(aggregate, of)));
        }
        let function = match name {
            "ABS" => Some(Function::Abs),
            "CEIL" => Some(Function::Ceil),
            "FLOOR" => Some(Function::Floor),
            _ => None,
        };
        if let Some(function) = function {
            let of = Box::new(self.one()?);
            self.needs(")")?;
            return Ok(Value::One(Expression::Of(function, of)));
        }
        match name {
            "FILL" => self.fill(),
            "IF" => self.condition(),
            "METRICS" => self.metrics(),
            "PERIOD" => {
                self.one()?;
                self.needs(")")?;
                #[allow(clippy::cast_precision_loss, reason = "it is a day at most")]
                let seconds = self.entries.period as f64;
                Ok(Value::One(Expression::Number(seconds)))
            }
            _ => Err(format!("{name} is not a function that the operator has")),
        }
    }

    fn fill(&mut self) -> Result<Value, String> {
        let of = self.any()?;
        self.needs(",")?;
        self.peek();
        for word in ["REPEAT", "LINEAR"] {
            if self.rest.starts_with(word) {
                return Err(format!("FILL with {word} is not one that the operator has"));
            }
        }
        let is_negative = self.takes("-");
        let with = self.number()?;
        self.needs(")")?;
        let with = if is_negative {
            Expression::Of(Function::Negative, Box::new(with))
        } else {
            with
        };
        let fill = |of: Expression| Expression::Fill(Box::new([of, with.clone()]));
        Ok(match of {
            Value::One(of) => Value::One(fill(of)),
            Value::Several(of) => Value::Several(of.into_iter().map(fill).collect()),
        })
    }

    fn condition(&mut self) -> Result<Value, String> {
        let condition = Box::new(self.one()?);
        self.needs(",")?;
        let then = Box::new(self.one()?);
        let or_else = if self.takes(",") {
            Some(Box::new(self.one()?))
        } else {
            None
        };
        self.needs(")")?;
        Ok(Value::One(Expression::If(condition, then, or_else)))
    }

    /// Reads the rest of `METRICS()`: all metrics, or those with a text in their names.
    fn metrics(&mut self) -> Result<Value, String> {
        let mut text = "";
        for quote in ["\"", "'"] {
            if self.takes(quote) {
                let (inside, rest) = self.rest.split_once(quote).ok_or("a quote does not end")?;
                (text, self.rest) = (inside, rest);
                break;
            }
        }
        self.needs(")")?;
        let Entries {
            names, is_metric, ..
        } = self.entries;
        let all = names.iter().zip(is_metric).enumerate();
        let found = all.filter(|(_, (name, is_metric))| **is_metric && name.contains(text));
        let found: Vec<_> = found.map(|(at, _)| Expression::Entry(at)).collect();
        if found.is_empty() {
            return Err("METRICS finds no metric".to_owned());
        }
        Ok(Value::Several(found))
    }

    /// Reads values up to the end of an array.
    fn arguments(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut found = vec![self.one()?];
        while self.takes(",") {
            found.push(self.one()?);
        }
        self.needs(end)?;
        Ok(found)
    }

    fn number(&mut self) -> Result<Expression, String> {
        let mut before = ' ';
        let end = self.rest.find(|next: char| {
            let is_sign = matches!(next, '+' | '-') && matches!(before, 'e' | 'E');
            before = next;
            !(next.is_ascii_alphanumeric() || next == '.' || is_sign)
        });
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        self.rest = rest;
        let number = number.ok_or_else(|| format!("{text} is not a number"))?;
        Ok(Expression::Number(number))
    }

    fn name(&mut self) -> &'t str {
        let end = self.rest.find(|next: char| !is_of_name(next));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        name
    }

    /// Returns the next character that is not a space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn takes(&mut self, text: &str) -> bool {
        self.peek();
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn needs(&mut self, text: &str) -> Result<(), String> {
        if self.takes(text) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(_) => format!("{text} has to stand before {:?}", self.shown()),
            None => format!("{text} is missing at its end"),
        })
    }

    fn unexpected(&self) -> String {
        format!("{:?} is not understood", self.shown())
    }

    /// Returns the beginning of what has not been read.
    fn shown(&self) -> String {
        self.rest.chars().take(20).collect()
    }
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["m1", "m2", "errors", "e1"];

    fn parsed(text: &str) -> Result<Expression, String> {
        let entries = Entries {
            names: &NAMES,
            is_metric: &[true, true, true, false],
            period: 60,
        };
        parse(text, entries)
    }

    fn value(text: &str, entries: [Option<f64>; 4]) -> Option<f64> {
        parsed(text).expect("it is an expression").value(&entries)
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        let entries = [Some(6.0), Some(2.0), Some(0.0), Some(10.0)];
        for (text, expected) in [
            ("m1 / m2", Some(3.0)),
            ("m1-m2-1", Some(3.0)),
            ("m1 / m2 / 3", Some(1.0)),
            ("1 + m1 * m2", Some(13.0)),
            ("(1 + m1) * m2", Some(14.0)),
            ("-m2 ^ 2", Some(-4.0)),
            ("(-m2) ^ 2", Some(4.0)),
            ("m2 ^ -1", Some(0.5)),
            ("--m2", Some(2.0)),
            ("m1 * -1", Some(-6.0)),
            ("1.5e1 + .5", Some(15.5)),
            ("2e-1*e1", Some(2.0)),
            ("m1 > 5 AND m2 < 1", Some(0.0)),
            ("m1 > 5 && m2 < 1 || e1 == 10", Some(1.0)),
            ("m1 >= 6 OR errors", Some(1.0)),
            ("m1 != 6", Some(0.0)),
            ("m1 <= 5 + 1", Some(1.0)),
            ("IF(m1 > 5, m2, 7)", Some(2.0)),
            ("IF(m1 > 6, m2, 7)", Some(7.0)),
            ("IF(m1 > 6, m2)", None),
            ("ABS(m2 - m1)", Some(4.0)),
            ("CEIL(m1 / 4)", Some(2.0)),
            ("FLOOR(m1 / 4)", Some(1.0)),
            ("m1 / PERIOD(m1)", Some(0.1)),
            ("SUM([m1, m2, 1])", Some(9.0)),
            ("SUM(METRICS())", Some(8.0)),
            ("MAX(METRICS(\"m\"))", Some(6.0)),
            ("MIN(METRICS('err'))", Some(0.0)),
            ("AVG([m1, m2])", Some(4.0)),
            ("m1 / errors", None),
            ("errors / errors", None),
        ] {
            assert_eq!(value(text, entries), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_value_makes_one_of_arithmetic_missing_and_is_left_out_of_several() {
        let entries = [Some(6.0), None, None, None];
        for (text, expected) in [
            ("m1 + m2", None),
            ("m1 > 5 OR m2", None),
            ("IF(m2, 1, 2)", None),
            ("IF(m1, m2, 2)", None),
            ("SUM([m1, m2])", Some(6.0)),
            ("SUM([m2, errors])", None),
            ("m1 + FILL(m2, 1)", Some(7.0)),
            ("AVG(FILL(METRICS(), 0))", Some(2.0)),
            ("FILL(m2, -3)", Some(-3.0)),
        ] {
            assert_eq!(value(text, entries), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let deep = "(".repeat(40);
        let long = "m1+".repeat(700);
        for (text, why) in [
            ("", "it ends where a value has to follow"),
            ("m1 +", "it ends where a value has to follow"),
            ("m1 m2", "\"m2\" is not understood"),
            ("(m1", ") is missing at its end"),
            ("(m1 m2)", ") has to stand before \"m2)\""),
            ("m3 * 2", "no entry has the Id m3"),
            ("M1", "no entry has the Id M1"),
            ("1x", "1x is not a number"),
            ("1e999", "1e999 is not a number"),
            (
                "m1 < m2 < 3",
                "it compares more than two values: use parentheses",
            ),
            ("2 ^ 3 ^ 2", "it has a power of a power: use parentheses"),
            ("RATE(m1)", "RATE is not a function that the operator has"),
            (
                "FILL(m1, REPEAT)",
                "FILL with REPEAT is not one that the operator has",
            ),
            (
                "MAX(m1)",
                "MAX of one metric is one value for all periods: name several in an array, as in MAX([m1, m2])",
            ),
            (
                "METRICS() * 2",
                "an array is more than one value: use SUM, AVG, MAX or MIN of it",
            ),
            (
                "[m1, m2]",
                "an array is more than one value: use SUM, AVG, MAX or MIN of it",
            ),
            ("SUM(METRICS('x'))", "METRICS finds no metric"),
            ("SUM(METRICS('m))", "a quote does not end"),
            ("SELECT AVG(x) FROM y", "no entry has the Id SELECT"),
            ("m1 ? 1 : 2", "\"? 1 : 2\" is not understood"),
            ("é", "\"é\" is not understood"),
            (&deep, "it is nested more than 32 deep"),
            (&long, "it is longer than 2048 characters"),
        ] {
            assert_eq!(parsed(text), Err(why.to_owned()), "{text}");
        }
    }
}
