//! Paths into an event.

use serde_json::Value;

/// A path into an event, as `$.detail.containers[0].name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Counted from 0.
    Item(usize),
}

/// How many characters a path may have: the limit of `InputPath`, and of the paths of a transformer.
const MAX_LENGTH: usize = 256;

impl EventPath {
    /// Parses `$`, followed by members as `.detail` and items of arrays as `[0]`. The names of members have letters,
    /// digits, `-`, `_` and `/`, as the guide lists. There are no wildcards, filters and names in brackets.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(format!(
                "the path has {length} characters, of at most {MAX_LENGTH}"
            ));
        }
        let Some(mut rest) = text.strip_prefix('$') else {
            return Err(format!("{text:?} does not begin with $"));
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(|| {
                format!("{text:?} is not read from {rest:?} on: only .name and [0] are")
            })?;
            steps.push(step);
            rest = after;
        }
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// Returns what stands there.
    #[must_use]
    pub fn find<'e>(&self, event: &'e Value) -> Option<&'e Value> {
        self.steps.iter().try_fold(event, |value, step| match step {
            Step::Member(name) => value.as_object()?.get(name),
            Step::Item(index) => value.as_array()?.get(*index),
        })
    }

    /// Returns the path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads one step, and returns what is after it.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (digits, rest) = rest.split_once(']')?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let index = digits.parse().ok().filter(|_| is_number)?;
        return Some((Step::Item(index), rest));
    }
    let rest = text.strip_prefix('.')?;
    let end = rest.find(['.', '[']);
    let (name, rest) = end.map_or((rest, ""), |end| rest.split_at(end));
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    let is_name = !name.is_empty() && name.chars().all(is_plain);
    is_name.then(|| (Step::Member(name.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_members_and_items() {
        let event = json!({
            "detail-type": "state",
            "detail": {"items": [{"name": "a"}, [null, 7]], "a.b": 1, "app/name": "shop", "grüße": 2},
        });
        for (path, found) in [
            ("$", Some(event.clone())),
            ("$.detail-type", Some(json!("state"))),
            ("$.detail.items[0].name", Some(json!("a"))),
            ("$.detail.items[1][1]", Some(json!(7))),
            ("$.detail.items[1][0]", Some(json!(null))),
            ("$.detail.items[2]", None),
            ("$.detail.items.name", None),
            ("$.detail.app/name", Some(json!("shop"))),
            ("$.detail.grüße", Some(json!(2))),
            ("$.detail.a.b", None),
            ("$.nothing", None),
            ("$[0]", None),
        ] {
            let parsed = EventPath::parse(path).unwrap();
            assert_eq!(parsed.find(&event), found.as_ref(), "{path}");
            assert_eq!(parsed.as_str(), path);
        }
    }

    #[test]
    fn other_paths_are_refused() {
        let long = format!("$.{}", "a".repeat(255));
        for path in [
            "",
            "detail",
            "$detail",
            "$.",
            "$..a",
            "$.a.",
            "$.*",
            "$.a[*]",
            "$.a[-1]",
            "$.a[+1]",
            "$.a[]",
            "$.a[0",
            "$.a[99999999999999999999]",
            "$['a']",
            "$.a['b']",
            "$.a[?(@.b)]",
            "$.a b",
            "$.a]",
            &long,
        ] {
            assert!(EventPath::parse(path).is_err(), "{path}");
        }
        assert_eq!(
            EventPath::parse("$.a.*.b").unwrap_err(),
            "\"$.a.*.b\" is not read from \".*.b\" on: only .name and [0] are"
        );
    }
}
