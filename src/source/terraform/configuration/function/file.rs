//! Functions that read files (<https://developer.hashicorp.com/terraform/language/functions/file>). Only files below the
//! folder that was given are read.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex::RegexBuilder;
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        evaluator::Evaluator,
        files::{join, relative},
        value::{Failure, Kind, Val},
    },
    Arguments,
};

/// The most files and folders that are searched.
const MOST_FILES: usize = 20_000;

/// What stands for a condition on a file that may not be read begins with this.
pub(in super::super) const NOT_READ: &str = "fileexists(";

/// The most bytes of a pattern that is compiled.
const LARGEST_PATTERN: usize = 1 << 20;

impl Evaluator<'_> {
    pub(super) fn file_function(
        &mut self,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Val>, Failure> {
        let here = arguments.here;
        let value = match arguments.name {
            "file" => arguments.made_text(self.file(&arguments.text(0)?)?),
            "filebase64" => {
                let text = self.file(&arguments.text(0)?)?;
                arguments.made_text(STANDARD.encode(text))
            }
            "filesha256" | "filebase64sha256" => {
                let text = self.file(&arguments.text(0)?)?;
                let digest = Sha256::digest(text);
                let is_base64 = arguments.name == "filebase64sha256";
                let hexadecimal = || digest.iter().map(|byte| format!("{byte:02x}")).collect();
                let text = if is_base64 {
                    STANDARD.encode(digest)
                } else {
                    hexadecimal()
                };
                arguments.made_text(text)
            }
            "fileexists" => {
                let path = arguments.text(0)?;
                match self.is_there(&path) {
                    Some(is_there) => arguments.made_bool(is_there),
                    None => Val::of_addresses(vec![format!("{NOT_READ}{path})")], here),
                }
            }
            "templatefile" => {
                if let Kind::Unknown(_) = arguments.get(0)?.kind {
                    return Ok(Some(self.open(&[arguments.get(0)?], here)));
                }
                let path = arguments.text(0)?;
                let text = self.file(&path)?;
                let rendered = self.rendered_text(&text, arguments.all().get(1), here);
                rendered.map_err(|failure| Failure {
                    why: format!("{path}: {}", failure.why),
                    ..failure
                })?
            }
            "fileset" => self.file_set(arguments)?,
            "abspath" => {
                let path = arguments.text(0)?;
                let root = self.module(0).map_or("", |it| &*it.path);
                let inside = join(root, &path).and_then(|it| self.files.absolute(&it));
                match inside {
                    Some(path) => arguments.made_text(path),
                    None => self.open(&[arguments.get(0)?], here),
                }
            }
            "templatestring" => {
                let text = arguments.text(0)?;
                self.rendered_text(&text, arguments.all().get(1), here)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// Returns the files of a folder whose paths fit a pattern
    /// (<https://developer.hashicorp.com/terraform/language/functions/fileset>).
    fn file_set(&mut self, arguments: &Arguments<'_>) -> Result<Val, Failure> {
        let (path, pattern) = (arguments.text(0)?, arguments.text(1)?);
        let root = self.module(0).map_or("", |it| &*it.path);
        let (outer, pattern) = with_steps_up(&path, &pattern);
        let (Some(own), Some(folder)) = (join(root, &path), join(root, &outer)) else {
            return Err(not_inside(&outer));
        };
        let is_wrong = |_| arguments.wrong(1, "a pattern of paths");
        let pattern = RegexBuilder::new(&expression_of(&pattern))
            .size_limit(LARGEST_PATTERN)
            .build()
            .map_err(is_wrong)?;
        let found = self.files.below(&folder, MOST_FILES);
        let found = found.ok_or_else(|| {
            let why = format!("{path} has more than {MOST_FILES} files, which are not searched");
            Failure::limit(why)
        })?;
        let found = found.into_iter().filter(|it| pattern.is_match(it));
        // The paths are from the folder on that is named, also where the pattern leads out of it.
        let found = found.map(|it| {
            if own == folder {
                it
            } else {
                relative(&own, &format!("{folder}/{it}"))
            }
        });
        let found: BTreeSet<String> = found.collect();
        self.spend(found.len(), found.iter().map(String::len).sum())?;
        let found = found.into_iter().map(|it| arguments.made_text(it));
        Val::of_list(found.collect(), arguments.here)
    }

    /// Returns whether there is a file; `None` if that may not be found out.
    fn is_there(&mut self, path: &str) -> Option<bool> {
        let root = self.module(0).map_or("", |it| &*it.path);
        let is_there = self.files.is_there(&join(root, path)?)?;
        if is_there && let Ok(text) = self.files.text(&join(root, path)?) {
            self.read.insert(text.name().to_owned());
        }
        Some(is_there)
    }

    /// Returns the text of a file, whose path is relative to the folder of the configuration.
    fn file(&mut self, path: &str) -> Result<String, Failure> {
        let root = self.module(0).map_or("", |it| &*it.path);
        let Some(inside) = join(root, path) else {
            return Err(not_inside(path));
        };
        let text = self.files.text(&inside);
        let text = text.map_err(|why| {
            let why = format!("{path} cannot be read: {why}");
            let is_there = self.files.is_there(&inside);
            if is_there.is_none_or(|it| it) {
                Failure::not_known(why)
            } else {
                Failure::new(why)
            }
        })?;
        self.spend(1, text.text().len())?;
        self.read.insert(text.name().to_owned());
        Ok(text.text().to_owned())
    }
}

fn not_inside(path: &str) -> Failure {
    Failure::not_known(format!(
        "{path} is neither below the folder that is given nor in its Git work tree, so it is not read"
    ))
}

/// Returns the folder with the first steps of the pattern that only lead up, and the rest of the pattern: Terraform joins
/// both before it searches.
fn with_steps_up(path: &str, pattern: &str) -> (String, String) {
    let (mut path, mut pattern) = (path.to_owned(), pattern);
    while let Some((step @ ("." | ".."), rest)) = pattern.split_once('/') {
        path = format!("{path}/{step}");
        pattern = rest;
    }
    (path, pattern.to_owned())
}

/// Returns the regular expression of a pattern: `**` is any number of folders where it is a whole step, `*` any
/// characters of one name, `?` one of them, `{a,b}` one of several, `[!a]` any other than these.
fn expression_of(pattern: &str) -> String {
    let mut expression = "^".to_owned();
    let mut depth = 0_usize;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let is_step = expression == "^" || expression.ends_with(['/', '*']);
        let (mark, length) = match c {
            _ if is_step && rest.starts_with("**/") => ("(?:[^/]+/)*", 3),
            _ if is_step && rest == "**" => (".*", 2),
            '*' => ("[^/]*", rest.len() - rest.trim_start_matches('*').len()),
            '?' => ("[^/]", 1),
            '{' => {
                depth += 1;
                ("(?:", 1)
            }
            '}' if depth > 0 => {
                depth -= 1;
                (")", 1)
            }
            ',' if depth > 0 => ("|", 1),
            '[' if let Some(end) = rest.find(']') => {
                let inner = rest.get(1..end).unwrap_or_default();
                push_class(inner, &mut expression);
                ("", end.saturating_add(1))
            }
            // Without an end, it is no pattern.
            '[' => ("[", 1),
            _ => {
                // A backslash makes a letter of the mark behind it.
                let skipped = usize::from(c == '\\');
                let letter = rest.chars().nth(skipped).unwrap_or(c);
                expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
                let length = skipped.saturating_add(letter.len_utf8());
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
        };
        expression.push_str(mark);
        rest = rest.get(length..).unwrap_or_default();
    }
    expression.push('$');
    expression
}

/// Adds a class of characters, those of a range too.
fn push_class(inner: &str, expression: &mut String) {
    let others = inner.strip_prefix(['!', '^']);
    expression.push_str(if others.is_some() { "[^" } else { "[" });
    for c in others.unwrap_or(inner).chars() {
        match c {
            '-' => expression.push('-'),
            c => expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push(']');
}
