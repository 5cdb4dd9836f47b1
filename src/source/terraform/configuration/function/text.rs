//! Functions of texts (<https://developer.hashicorp.com/terraform/language/functions/split>).

use std::fmt::Write as _;

use super::{
    super::{
        evaluator::Evaluator,
        value::{Failure, Val},
    },
    Arguments,
};

impl Evaluator<'_> {
    pub(super) fn text_function(
        &mut self,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Val>, Failure> {
        let own = |index| arguments.text(index);
        let text = match arguments.name {
            "lower" => own(0)?.to_lowercase(),
            "upper" => own(0)?.to_uppercase(),
            "title" => title(&own(0)?),
            "strrev" => own(0)?.chars().rev().collect(),
            "chomp" => own(0)?.trim_end_matches(['\n', '\r']).to_owned(),
            "trim" => {
                let set: Vec<char> = own(1)?.chars().collect();
                own(0)?.trim_matches(set.as_slice()).to_owned()
            }
            "trimspace" | "trimprefix" | "trimsuffix" | "replace" | "split" => {
                return self.of_open_text(&arguments.with_known_texts()).map(Some);
            }
            "substr" => substring(arguments)?,
            "indent" => own(1)?.replace('\n', &format!("\n{}", spaces(arguments.index(0)?)?)),
            "startswith" => {
                let starts = own(0)?.starts_with(&own(1)?);
                return Ok(Some(arguments.made_bool(starts)));
            }
            "endswith" => {
                let ends = own(0)?.ends_with(&own(1)?);
                return Ok(Some(arguments.made_bool(ends)));
            }
            "strcontains" => {
                let contains = own(0)?.contains(&own(1)?);
                return Ok(Some(arguments.made_bool(contains)));
            }
            "urlencode" => url_encoded(&own(0)?),
            "basename" => {
                let path = own(0)?;
                path.rsplit('/').next().unwrap_or_default().to_owned()
            }
            "dirname" => {
                let path = own(0)?;
                path.rsplit_once('/')
                    .map_or(".", |(folder, _)| folder)
                    .to_owned()
            }
            _ => return Ok(None),
        };
        Ok(Some(arguments.made_text(text)))
    }

    /// Returns the value of a function that keeps the placeholders in a text. One that stands for a whole argument is
    /// not known to be long or short, so that nothing is removed from it.
    fn of_open_text(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let all = arguments.all();
        let is_unknown = |val: &Val| val.scalar().is_none();
        if all
            .iter()
            .any(|it| is_unknown(it) && self.addresses(it).is_some())
        {
            let all: Vec<&Val> = all.iter().collect();
            return Ok(self.open(&all, arguments.here));
        }
        let text = arguments.text(0)?;
        if self.is_cut(arguments)? {
            let all: Vec<&Val> = all.iter().collect();
            return Ok(self.open(&all, arguments.here));
        }
        let made = match arguments.name {
            "trimspace" => text.trim().to_owned(),
            "trimprefix" => {
                let prefix = arguments.text(1)?;
                text.strip_prefix(&*prefix).unwrap_or(&text).to_owned()
            }
            "trimsuffix" => {
                let suffix = arguments.text(1)?;
                text.strip_suffix(&*suffix).unwrap_or(&text).to_owned()
            }
            "split" => return self.parts(arguments),
            _ => self.replaced(&text, arguments)?,
        };
        Ok(arguments.made_text(made))
    }

    /// Whether a function would cut a placeholder in a text, so that a part of it were left.
    fn is_cut(&self, arguments: &Arguments<'_>) -> Result<bool, Failure> {
        let (text, part) = match arguments.name {
            "trimspace" => return Ok(false),
            "split" => (arguments.text(1)?, arguments.text(0)?),
            _ => (arguments.text(0)?, arguments.text(1)?),
        };
        let open = self.placeholders_in(&text);
        if open.is_empty() {
            return Ok(false);
        }
        let is_through = |start: usize| {
            let end = start.saturating_add(part.len());
            open.iter().any(|it| {
                let is_apart = end <= it.start || start >= it.end;
                let is_whole = start <= it.start && end >= it.end;
                !is_apart && !is_whole
            })
        };
        Ok(match arguments.name {
            "trimprefix" => text.starts_with(&*part) && is_through(0),
            "trimsuffix" => text.ends_with(&*part) && is_through(text.len() - part.len()),
            _ if part.is_empty() || pattern_in(&part).is_some() => true,
            _ => text.match_indices(&*part).any(|(at, _)| is_through(at)),
        })
    }

    fn replaced(&mut self, text: &str, arguments: &Arguments<'_>) -> Result<String, Failure> {
        let (from, to) = (arguments.text(1)?, arguments.text(2)?);
        if let Some(pattern) = pattern_in(&from) {
            return self.replaced_pattern(text, pattern, &to);
        }
        let most = text.len().saturating_add(1).saturating_mul(to.len().max(1));
        if from.is_empty() || most > 1 << 20 {
            let found = if from.is_empty() {
                text.len() + 1
            } else {
                text.matches(&*from).count()
            };
            self.spend(0, found.saturating_mul(to.len()))?;
        }
        Ok(text.replace(&*from, &to))
    }

    fn parts(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let (separator, text) = (arguments.text(0)?, arguments.text(1)?);
        let parts: Vec<Val> = if text.is_empty() {
            Vec::new()
        } else if separator.is_empty() {
            let characters = text.chars();
            characters
                .map(|it| arguments.made_text(it.to_string()))
                .collect()
        } else {
            let parts = text.split(&*separator);
            parts.map(|it| arguments.made_text(it)).collect()
        };
        self.spend(parts.len(), text.len())?;
        Val::of_list(parts, arguments.here)
    }
}

/// Returns the regular expression that stands between slashes.
fn pattern_in(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('/')?.strip_suffix('/')?;
    (!inner.is_empty()).then_some(inner)
}

fn title(text: &str) -> String {
    let mut is_start = true;
    let mut title = String::with_capacity(text.len());
    for c in text.chars() {
        if is_start {
            title.extend(c.to_uppercase());
        } else {
            title.push(c);
        }
        is_start = c.is_whitespace();
    }
    title
}

/// Returns a text as a form in a URL has it.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => {
                // Writing to a text cannot fail.
                let _written = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn substring(arguments: &Arguments<'_>) -> Result<String, Failure> {
    let text = arguments.text(0)?;
    let (offset, length) = (arguments.number(1)?, arguments.number(2)?);
    let count = text.chars().count();
    let start = if offset < 0.0 {
        let back = Val::new(super::Kind::Number(-offset), arguments.here).index();
        count.saturating_sub(back.unwrap_or(count))
    } else {
        arguments.index(1)?
    };
    let length = if length < 0.0 {
        count
    } else {
        arguments.index(2)?
    };
    Ok(text.chars().skip(start).take(length).collect())
}

pub(super) fn spaces(count: usize) -> Result<String, Failure> {
    const MOST: usize = 1_000;
    if count > MOST {
        return Err(Failure::new(format!("more than {MOST} spaces")));
    }
    Ok(" ".repeat(count))
}
