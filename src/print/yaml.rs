//! Writes trees as YAML, with the same bytes as `serde_saphyr`.
//!
//! Most texts can be written as they are; all others are passed to the library. Serializing a whole object with the
//! library takes several times as long, mostly for names that never need quotes.

use serde::Serialize;

use super::{Error, ordered::Ordered};

/// Texts longer than this may be folded.
const LONGEST_PLAIN: usize = 80;

/// Words that some YAML parsers read as another type than a string.
const WORDS: [&str; 12] = [
    "y", "n", "no", "on", "nan", "inf", "-inf", "off", "yes", "null", "true", "false",
];

/// Writes the members of `root`, or a scalar.
pub(super) fn write(root: &Ordered) -> Result<String, Error> {
    let mut writer = Writer {
        out: String::with_capacity(2048),
    };
    match root {
        Ordered::Map(members) if !members.is_empty() => writer.members(members, 0)?,
        Ordered::List(elements) if !elements.is_empty() => writer.elements(elements, 0)?,
        other => writer.out.push_str(&by_library(other)?),
    }
    if !writer.out.ends_with('\n') {
        writer.out.push('\n');
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
}

impl Writer {
    /// Writes members, the first on the current line, the others on separate lines.
    fn members(
        &mut self,
        members: &[(impl AsRef<str>, Ordered)],
        indent: usize,
    ) -> Result<(), Error> {
        for (number, (name, value)) in members.iter().enumerate() {
            if number > 0 {
                self.indent(indent);
            }
            self.name(name.as_ref())?;
            match value {
                Ordered::Map(members) if !members.is_empty() => {
                    self.out.push('\n');
                    self.indent(indent + 2);
                    self.members(members, indent + 2)?;
                }
                Ordered::List(elements) if !elements.is_empty() => {
                    self.out.push('\n');
                    self.indent(indent);
                    self.elements(elements, indent)?;
                }
                scalar => self.scalar(scalar, indent, Place::Member)?,
            }
        }
        Ok(())
    }

    /// Writes elements, the first on the current line.
    fn elements(&mut self, elements: &[Ordered], indent: usize) -> Result<(), Error> {
        for (number, element) in elements.iter().enumerate() {
            if number > 0 {
                self.indent(indent);
            }
            self.out.push('-');
            match element {
                Ordered::Map(members) if !members.is_empty() => {
                    self.out.push(' ');
                    self.members(members, indent + 2)?;
                }
                Ordered::List(elements) if !elements.is_empty() => {
                    self.out.push(' ');
                    self.elements(elements, indent + 2)?;
                }
                scalar => self.scalar(scalar, indent, Place::Element)?,
            }
        }
        Ok(())
    }

    /// Writes a name with its colon.
    fn name(&mut self, name: &str) -> Result<(), Error> {
        if is_plain(name, false) {
            self.out.push_str(name);
        } else {
            let text = by_library(&Ordered::Map(vec![(name.to_owned().into(), Ordered::Null)]))?;
            let name = text.trim_end().strip_suffix(": null");
            self.out.push_str(name.ok_or_else(unexpected)?);
        }
        self.out.push(':');
        Ok(())
    }

    /// Writes a space, the value and the end of the line.
    fn scalar(&mut self, value: &Ordered, indent: usize, place: Place) -> Result<(), Error> {
        match value {
            Ordered::String(text) if is_plain(text, true) => {
                self.out.push(' ');
                self.out.push_str(text);
            }
            Ordered::String(text) if is_surely_quoted(text) => {
                self.out.push_str(" \"");
                self.out.push_str(text);
                self.out.push('"');
            }
            Ordered::Bool(value) => self.out.push_str(if *value { " true" } else { " false" }),
            Ordered::Number(number) if !number.is_f64() => {
                self.out.push(' ');
                self.out.push_str(&number.to_string());
            }
            Ordered::Map(_) => self.out.push_str(" {}"),
            Ordered::List(_) => self.out.push_str(" []"),
            other => return self.by_library(other, indent, place),
        }
        self.out.push('\n');
        Ok(())
    }

    /// Writes a value with the library, and indents its further lines.
    fn by_library(&mut self, value: &Ordered, indent: usize, place: Place) -> Result<(), Error> {
        let text = match place {
            Place::Member => by_library(&std::collections::BTreeMap::from([("k", value)]))?,
            Place::Element => by_library(&[value])?,
        };
        let lead = match place {
            Place::Member => "k:",
            Place::Element => "-",
        };
        let mut lines = text
            .strip_prefix(lead)
            .ok_or_else(unexpected)?
            .split_inclusive('\n');
        self.out.push_str(lines.next().unwrap_or_default());
        for line in lines {
            if line != "\n" {
                self.indent(indent);
            }
            self.out.push_str(line);
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        Ok(())
    }

    fn indent(&mut self, columns: usize) {
        const SPACES: &str = "                                ";
        let mut left = columns;
        while left > 0 {
            let part = left.min(SPACES.len());
            self.out.push_str(SPACES.get(..part).unwrap_or_default());
            left -= part;
        }
    }
}

/// The place of a value.
#[derive(Clone, Copy)]
enum Place {
    Member,
    Element,
}

fn by_library(value: &impl Serialize) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|error| Error::Yaml(error.to_string()))
}

fn unexpected() -> Error {
    Error::Yaml("the library's text has another form than expected".to_owned())
}

/// Whether a text certainly means the same without quotes: it has only characters without a meaning in YAML at their
/// position, and is neither a number nor a word of another type.
fn is_plain(text: &str, is_value: bool) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else {
        return false;
    };
    if bytes.len() > LONGEST_PLAIN {
        return false;
    }
    let harmless = if is_value { IN_VALUES } else { IN_NAMES };
    let starts = match first {
        b'0'..=b'9' if is_quantity(bytes) => return true,
        // No number has these, but images in registries of an account, ranges of addresses and percentages do.
        b'0'..=b'9' => is_value && bytes.iter().any(|byte| matches!(byte, b'/' | b'%')),
        b'-' => is_value && bytes.get(1).is_some_and(u8::is_ascii_alphabetic),
        first => first.is_ascii_alphabetic() || *first == b'/',
    };
    starts
        && bytes.iter().all(|byte| class(*byte) & harmless != 0)
        && (!is_value || separators_are_harmless(bytes))
        && !(bytes.len() <= 5 && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// Harmless in a name, except as its first character.
const IN_NAMES: u8 = 1;
/// Harmless in a value, except as its first character; a colon and a space depend on what follows.
const IN_VALUES: u8 = 2;

/// Returns where a byte is harmless.
fn class(byte: u8) -> u8 {
    // Every byte is in the table; this is as fast as an index.
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The class of each byte. It is a table because every byte of the output is looked up.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "a constant; the compiler would refuse an index that is too large"
        )]
        {
            classes[byte] = match byte as u8 {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' | b'_' => {
                    IN_NAMES | IN_VALUES
                }
                b':' | b' ' | b'=' | b'@' | b',' | b'+' | b'$' | b'(' | b')' | b'%' => IN_VALUES,
                _ => 0,
            };
        }
        byte += 1;
    }
    classes
};

/// Whether no colon and no space ends a name or a value, or begins a comment.
fn separators_are_harmless(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b':' | b' ')) {
        let (Some(separator), Some(next)) = (rest.get(at), rest.get(at + 1)) else {
            return false;
        };
        let harmless = match separator {
            b':' => !matches!(next, b' ' | b':'),
            _ => class(*next) & IN_NAMES != 0,
        };
        if !harmless {
            return false;
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    true
}

/// Whether letters and digits that begin with a digit are not a number in any spelling, such as `256Mi`.
fn is_quantity(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .any(|byte| matches!(byte.to_ascii_lowercase(), b'g'..=b'n' | b'p'..=b'w'))
}

/// Whether a text is certainly written in double quotes, without escapes: a whole number, a boolean.
fn is_surely_quoted(text: &str) -> bool {
    matches!(text, "true" | "false")
        || (!text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit()))
}
