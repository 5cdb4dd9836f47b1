//! Amazon Resource Names and references to task definitions.

use std::fmt;

/// An ARN: `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// For instance `iam`.
    pub service: &'a str,
    /// Empty for global services.
    pub region: &'a str,
    /// Empty for S3.
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` if it is not one. Colons of placeholders such as `${AWS::Region}` do not count.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("arn:")?;
        let (partition, rest) = split_colon(rest)?;
        let (service, rest) = split_colon(rest)?;
        let (region, rest) = split_colon(rest)?;
        let (account, resource) = split_colon(rest)?;
        let arn = Self {
            partition,
            service,
            region,
            account,
            resource,
        };
        (!arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty())
            .then_some(arn)
    }
}

/// Splits a text at the first colon that is not part of a placeholder in braces or angle brackets.
pub(super) fn split_colon(text: &str) -> Option<(&str, &str)> {
    let mut closing = Vec::new();
    for (position, c) in text.char_indices() {
        match c {
            ':' if closing.is_empty() => {
                return Some((text.get(..position)?, text.get(position + 1..)?));
            }
            '{' => closing.push('}'),
            '<' => closing.push('>'),
            _ if closing.last() == Some(&c) => {
                closing.pop();
            }
            _ => {}
        }
    }
    // An opening bracket that is never closed does not begin a placeholder.
    if closing.is_empty() {
        None
    } else {
        text.split_once(':')
    }
}

/// Whether `text` contains a placeholder: `<NAME>`, `${NAME}`, `{{ name }}`, `%NAME%`, `$$$NAME$$$`.
///
/// The reader reports placeholders. Here it only matters that the characters of such a text are not checked.
pub(crate) fn has_placeholder(text: &str) -> bool {
    let paired = |open: char, close: char| {
        text.split_once(open)
            .is_some_and(|(_, rest)| rest.contains(close))
    };
    paired('<', '>') || paired('{', '}') || paired('%', '%') || text.contains("$$$")
}

/// Whether `text` consists of a single placeholder.
pub(super) fn is_one_placeholder(text: &str) -> bool {
    let brackets = [
        ("${", "}"),
        ("{{", "}}"),
        ("<", ">"),
        ("$$$", "$$$"),
        ("%", "%"),
    ];
    brackets.iter().any(|(open, close)| {
        let inner = text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
        inner.is_some_and(|inner| !inner.is_empty() && !inner.contains(open))
    })
}

/// Whether `text` is a single placeholder in any spelling that the reader knows, also in one that a name may have too:
/// `__NAME__`, `@NAME@`. In a cluster it would be that name.
pub(super) fn may_be_filled(text: &str) -> bool {
    let enclosed = ["__", "@"].iter().any(|mark| {
        let inner = text.strip_prefix(mark).and_then(|it| it.strip_suffix(mark));
        inner.is_some_and(is_capitals)
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let variable = text.strip_prefix('$');
    let is_variable = variable.is_some_and(|name| !name.is_empty() && name.chars().all(plain));
    let is_hash = text.starts_with("#{") && text.ends_with('}');
    is_one_placeholder(text) || enclosed || is_variable || is_hash
}

/// Whether `text`, where an ID is needed, asks for it: one placeholder, or a word such as `FILE_SYSTEM_ID`, which no ID
/// can be.
pub(super) fn asks_for_id(text: &str) -> bool {
    may_be_filled(text) || (is_capitals(text) && text.ends_with("_ID"))
}

fn is_capitals(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(plain)
}

/// The value of `taskDefinition`: a family, and a revision if it is pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinitionReference<'a> {
    /// The family.
    pub family: &'a str,
    /// The pinned revision.
    pub revision: Option<u64>,
}

impl<'a> TaskDefinitionReference<'a> {
    /// Parses `family`, `family:revision` or an ARN of either; returns `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let name = match Arn::parse(text) {
            Some(arn) if arn.service == "ecs" => arn.resource.strip_prefix("task-definition/")?,
            Some(_) => return None,
            None => text,
        };
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => {
                let revision = revision.parse().ok().filter(|revision| *revision > 0)?;
                (family, Some(revision))
            }
            None => (name, None),
        };
        let plain = !family.is_empty()
            && family
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        plain.then_some(Self { family, revision })
    }
}

impl fmt::Display for TaskDefinitionReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "{}:{revision}", self.family),
            None => f.write_str(self.family),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_arn_has_six_parts_and_placeholders_are_whole() {
        type Parts<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);
        let table: &[(&str, Option<Parts<'_>>)] = &[
            (
                "arn:aws:iam::123456789012:role/web",
                Some(("aws", "iam", "", "123456789012", "role/web")),
            ),
            (
                "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/a:b",
                Some((
                    "aws-cn",
                    "ssm",
                    "cn-north-1",
                    "123456789012",
                    "parameter/a:b",
                )),
            ),
            ("arn:aws:s3:::b/x", Some(("aws", "s3", "", "", "b/x"))),
            (
                "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/web",
                Some((
                    "${AWS::Partition}",
                    "iam",
                    "",
                    "${AWS::AccountId}",
                    "role/web",
                )),
            ),
            (
                "arn:aws:iam::{{ must_env `A:B` }}:role/web",
                Some(("aws", "iam", "", "{{ must_env `A:B` }}", "role/web")),
            ),
            (
                "arn:aws:iam::<account:id>:role/web",
                Some(("aws", "iam", "", "<account:id>", "role/web")),
            ),
            ("arn:aws:iam::1:", None),
            ("arn:aws:iam:role/web", None),
            ("arn::iam::1:role/web", None),
            ("web", None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = Arn::parse(text).map(|arn| {
                (
                    arn.partition,
                    arn.service,
                    arn.region,
                    arn.account,
                    arn.resource,
                )
            });
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn a_task_definition_is_named_by_family_revision_or_arn() {
        for (text, expected) in [
            ("web", Some(("web", None))),
            ("web:3", Some(("web", Some(3)))),
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3",
                Some(("web", Some(3))),
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task-definition/web",
                Some(("web", None)),
            ),
            ("arn:aws:ecs:us-east-1:123456789012:service/web", None),
            ("arn:aws:iam::123456789012:role/web", None),
            ("web:0", None),
            ("web:latest", None),
            ("web:3:4", None),
            ("we b", None),
            (":3", None),
            ("", None),
        ] {
            let found = TaskDefinitionReference::parse(text).map(|r| (r.family, r.revision));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn placeholders_are_seen() {
        for (text, expected) in [
            ("<role_arn>", true),
            ("${ROLE}", true),
            ("{{role-arn}}", true),
            ("%ROLE%", true),
            ("$$$ROLE$$$", true),
            ("arn:aws:iam::${ID}:role/web", true),
            ("web-role", false),
            ("100%", false),
            ("a > b", false),
            ("$HOME", false),
            ("app__PROD__task", false),
            ("svc@PROD@task", false),
        ] {
            assert_eq!(has_placeholder(text), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_filled_is_one_placeholder() {
        for (text, expected) in [
            ("${ROLE}", true),
            ("$ROLE", true),
            ("#{ROLE}", true),
            ("__ROLE_ARN__", true),
            ("@ROLE@", true),
            ("app__PROD__task", false),
            ("__main__", false),
            ("svc@PROD@", false),
            ("$5 or $6", false),
            ("web", false),
        ] {
            assert_eq!(may_be_filled(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(arn:)?[a-z:/<>{}$%é ]{0,40}") {
            let _ = has_placeholder(&text);
            if let Some(arn) = Arn::parse(&text) {
                let Arn { partition, service, region, account, resource } = arn;
                prop_assert_eq!(
                    format!("arn:{partition}:{service}:{region}:{account}:{resource}"),
                    text
                );
            } else if let Some(reference) = TaskDefinitionReference::parse(&text) {
                prop_assert!(text.starts_with(reference.family));
            }
        }
    }
}
