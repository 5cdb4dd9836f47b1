//! Functions of regular expressions, whose syntax is that of RE2
//! (<https://developer.hashicorp.com/terraform/language/functions/regex>).

use regex::{Captures, Regex, RegexBuilder};

use super::{
    super::{
        evaluator::Evaluator,
        value::{Evaluated, Failure, Kind, Member, Members, Val},
    },
    Arguments,
};

/// The most bytes of a compiled expression.
const LARGEST: usize = 1 << 20;

impl Evaluator<'_> {
    pub(super) fn pattern_function(
        &mut self,
        arguments: &Arguments<'_>,
    ) -> Result<Option<Val>, Failure> {
        let is_all = match arguments.name {
            "regex" => false,
            "regexall" => true,
            _ => return Ok(None),
        };
        let regex = compiled(&arguments.text(0)?)?;
        let text = arguments.text(1)?;
        if is_all {
            let mut all = Vec::new();
            for captures in regex.captures_iter(&text) {
                self.spend(captures.len(), captures.get(0).map_or(0, |it| it.len()))?;
                all.push(found(&regex, &captures, arguments)?);
            }
            return Val::of_list(all, arguments.here).map(Some);
        }
        let captures = regex.captures(&text);
        let captures = captures.ok_or_else(|| Failure::new("regex finds nothing in the text"))?;
        self.spend(captures.len(), text.len())?;
        found(&regex, &captures, arguments).map(Some)
    }

    /// Returns a text in which what an expression finds is replaced.
    pub(super) fn replaced_pattern(
        &mut self,
        text: &str,
        pattern: &str,
        to: &str,
    ) -> Result<String, Failure> {
        let regex = compiled(pattern)?;
        let count = regex.find_iter(text).count();
        let most = text.len().saturating_add(to.len());
        self.spend(0, count.saturating_mul(most))?;
        Ok(regex.replace_all(text, to).into_owned())
    }
}

fn compiled(pattern: &str) -> Result<Regex, Failure> {
    let regex = RegexBuilder::new(pattern).size_limit(LARGEST).build();
    regex.map_err(|_| Failure::new("a regular expression is wrong, or too large"))
}

/// Returns what is found: an object of the groups with names, a list of groups, or the whole.
fn found(regex: &Regex, captures: &Captures<'_>, arguments: &Arguments<'_>) -> Evaluated {
    let group = |it: Option<regex::Match<'_>>| match it {
        Some(it) => arguments.made_text(it.as_str()),
        None => Val::new(Kind::Null, arguments.here),
    };
    let mut members = Members::new();
    for name in regex.capture_names().flatten() {
        let (key, value) = (arguments.here, group(captures.name(name)));
        members.insert(name.to_owned(), Member { key, value });
    }
    if !members.is_empty() {
        return Val::of_members(members, arguments.here);
    }
    let groups: Vec<Val> = captures.iter().skip(1).map(group).collect();
    if groups.is_empty() {
        return Ok(group(captures.get(0)));
    }
    Val::of_list(groups, arguments.here)
}
