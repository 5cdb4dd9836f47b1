//! `format` and `formatlist` (<https://developer.hashicorp.com/terraform/language/functions/format>).

use super::{
    super::{
        evaluator::Evaluator,
        value::{Failure, Kind, Val},
    },
    Arguments, encoding,
    text::spaces,
};

/// The most characters that a value is filled up to.
const WIDEST: usize = 1_000;

/// A verb of a format: `%-5.2f`.
#[derive(Default)]
struct Verb {
    is_left: bool,
    is_zero: bool,
    is_signed: bool,
    width: usize,
    precision: Option<usize>,
}

impl Evaluator<'_> {
    pub(super) fn format_function(
        &mut self,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Val>, Failure> {
        match arguments.name {
            "format" => {
                let format = arguments.text(0)?;
                let rest: Vec<&Val> = arguments.all().iter().skip(1).collect();
                self.formatted(&format, &rest, arguments).map(Some)
            }
            "formatlist" => self.format_list(arguments).map(Some),
            _ => Ok(None),
        }
    }

    /// Formats each element of the lists.
    fn format_list(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let format = arguments.text(0)?;
        let rest: Vec<&Val> = arguments.all().iter().skip(1).collect();
        let lists = rest.iter().filter_map(|it| it.elements());
        let length = lists.map(<[Val]>::len).min().unwrap_or(1);
        let mut texts = Vec::new();
        for index in 0..length {
            let at = |it: &&'_ Val| -> Option<Val> {
                match it.elements() {
                    Some(elements) => elements.get(index).cloned(),
                    None => Some(Val::clone(it)),
                }
            };
            let row: Vec<Val> = rest.iter().filter_map(at).collect();
            let row: Vec<&Val> = row.iter().collect();
            texts.push(self.formatted(&format, &row, arguments)?);
        }
        self.spend(texts.len(), 0)?;
        Val::of_list(texts, arguments.here)
    }

    fn formatted(
        &mut self,
        format: &str,
        values: &[&Val],
        arguments: &Arguments<'_>,
    ) -> Result<Val, Failure> {
        let mut text = String::new();
        let mut values = values.iter();
        let mut characters = format.chars().peekable();
        while let Some(c) = characters.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let mut verb = Verb::default();
            while let Some(flag) = characters.next_if(|c| matches!(c, '-' | '0' | '+' | ' ' | '#'))
            {
                match flag {
                    '-' => verb.is_left = true,
                    '0' => verb.is_zero = true,
                    '+' => verb.is_signed = true,
                    _ => {}
                }
            }
            let mut digits = String::new();
            while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            verb.width = digits.parse().unwrap_or_default();
            if characters.next_if_eq(&'.').is_some() {
                let mut digits = String::new();
                while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                verb.precision = digits.parse().ok();
            }
            if verb.width > WIDEST || verb.precision.is_some_and(|it| it > WIDEST) {
                return Err(Failure::new(format!(
                    "format makes more than {WIDEST} characters"
                )));
            }
            let kind = characters.next();
            if kind == Some('%') {
                text.push('%');
                continue;
            }
            let value = values.next();
            let value = value.ok_or_else(|| Failure::new("format has too few values"))?;
            let Some(made) = self.verb(&verb, kind, value)? else {
                return Ok(self.open(&[value], arguments.here));
            };
            self.spend(0, made.len())?;
            text.push_str(&made);
        }
        Ok(arguments.made_text(text))
    }

    /// Returns a value as a verb has it; `None` if it is not known.
    fn verb(
        &mut self,
        verb: &Verb,
        kind: Option<char>,
        value: &Val,
    ) -> Result<Option<String>, Failure> {
        let is_open = self.addresses(value).is_some();
        let made = match kind {
            Some('s' | 'v') => match self.text_of(value) {
                Some(text) => text,
                None if is_open => return Ok(None),
                None => {
                    let (json, _) = encoding::json(self, value)?;
                    json
                }
            },
            Some('q') => match self.text_of(value) {
                Some(text) => serde_json::Value::from(text).to_string(),
                None => return Ok(None),
            },
            _ if is_open => return Ok(None),
            Some('t') => match value.truth() {
                Some(truth) => truth.to_string(),
                None => return Err(wrong("a boolean", value)),
            },
            Some(kind @ ('d' | 'f' | 'x' | 'X' | 'g')) => number(verb, kind, value)?,
            _ => return Err(Failure::new("format has a verb that is not evaluated")),
        };
        let missing = verb.width.saturating_sub(made.chars().count());
        let filling = spaces(missing)?;
        Ok(Some(if verb.is_left {
            made + &filling
        } else if verb.is_zero && !matches!(kind, Some('s' | 'v' | 'q' | 't')) {
            let (sign, digits) = match made.strip_prefix(['-', '+']) {
                Some(digits) => made.split_at(made.len() - digits.len()),
                None => ("", &*made),
            };
            format!("{sign}{}{digits}", filling.replace(' ', "0"))
        } else {
            filling + &made
        }))
    }
}

fn number(verb: &Verb, kind: char, value: &Val) -> Result<String, Failure> {
    let number = value.number().ok_or_else(|| wrong("a number", value))?;
    let text = match kind {
        'd' => number.trunc().to_string(),
        'f' => {
            let precision = verb.precision.unwrap_or(6);
            format!("{number:.precision$}")
        }
        'x' | 'X' => {
            let whole = Val::new(Kind::Number(number), value.place).index();
            let whole = whole.ok_or_else(|| wrong("a whole number", value))?;
            if kind == 'x' {
                format!("{whole:x}")
            } else {
                format!("{whole:X}")
            }
        }
        _ => number.to_string(),
    };
    let is_signed = verb.is_signed && !text.starts_with('-');
    Ok(if is_signed { format!("+{text}") } else { text })
}

fn wrong(expected: &str, value: &Val) -> Failure {
    let found = value.describe();
    Failure::new(format!("format takes {expected} here, and not {found}"))
}
