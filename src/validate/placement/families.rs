//! Families of instance types, which `=~` and `!~` can select.

use super::expression::Operator;
use super::requirement::{NodeAttribute, Requirement, Test};
use crate::diagnostic::Message;

/// The families of instance types whose generation has several of them, or which a pattern may mean
/// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>). A family that is missing here can
/// still be named with an escaped dot.
const FAMILIES: &[&str] = &[
    "a1",
    "c1",
    "c3",
    "c4",
    "c5",
    "c5a",
    "c5ad",
    "c5d",
    "c5n",
    "c6a",
    "c6g",
    "c6gd",
    "c6gn",
    "c6i",
    "c6id",
    "c6in",
    "c7a",
    "c7g",
    "c7gd",
    "c7gn",
    "c7i",
    "c7i-flex",
    "c8a",
    "c8g",
    "c8gb",
    "c8gd",
    "c8gn",
    "c8i",
    "c8i-flex",
    "c8ib",
    "c8id",
    "c8in",
    "d2",
    "d3",
    "d3en",
    "dl1",
    "dl2q",
    "f1",
    "f2",
    "g2",
    "g3",
    "g3s",
    "g4ad",
    "g4dn",
    "g5",
    "g5g",
    "g6",
    "g6e",
    "g6f",
    "g7e",
    "gr6",
    "gr6f",
    "h1",
    "hpc6a",
    "hpc6id",
    "hpc7a",
    "hpc7g",
    "hpc8a",
    "i2",
    "i3",
    "i3en",
    "i4g",
    "i4i",
    "i7i",
    "i7ie",
    "i8g",
    "i8ge",
    "im4gn",
    "inf1",
    "inf2",
    "is4gen",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m5a",
    "m5ad",
    "m5d",
    "m5dn",
    "m5n",
    "m5zn",
    "m6a",
    "m6g",
    "m6gd",
    "m6i",
    "m6id",
    "m6idn",
    "m6in",
    "m7a",
    "m7g",
    "m7gd",
    "m7i",
    "m7i-flex",
    "m8a",
    "m8azn",
    "m8g",
    "m8gb",
    "m8gd",
    "m8gn",
    "m8i",
    "m8i-flex",
    "m8ib",
    "m8id",
    "m8in",
    "mac-m4",
    "mac-m4pro",
    "mac1",
    "mac2",
    "mac2-m1ultra",
    "mac2-m2",
    "mac2-m2pro",
    "p2",
    "p3",
    "p3dn",
    "p4d",
    "p4de",
    "p5",
    "p5e",
    "p5en",
    "p6-b200",
    "p6-b300",
    "p6e-gb200",
    "r3",
    "r4",
    "r5",
    "r5a",
    "r5ad",
    "r5b",
    "r5d",
    "r5dn",
    "r5n",
    "r6a",
    "r6g",
    "r6gd",
    "r6i",
    "r6id",
    "r6idn",
    "r6in",
    "r7a",
    "r7g",
    "r7gd",
    "r7i",
    "r7iz",
    "r8a",
    "r8g",
    "r8gb",
    "r8gd",
    "r8gn",
    "r8i",
    "r8i-flex",
    "r8ib",
    "r8id",
    "r8in",
    "t1",
    "t2",
    "t3",
    "t3a",
    "t4g",
    "trn1",
    "trn1n",
    "trn2",
    "u-12tb1",
    "u-18tb1",
    "u-24tb1",
    "u-3tb1",
    "u-6tb1",
    "u-9tb1",
    "u7i-12tb",
    "u7i-6tb",
    "u7i-8tb",
    "u7in-16tb",
    "u7in-24tb",
    "u7in-32tb",
    "u7inh-32tb",
    "vt1",
    "x1",
    "x1e",
    "x2gd",
    "x2idn",
    "x2iedn",
    "x2iezn",
    "x8aedz",
    "x8g",
    "x8i",
    "z1d",
];

/// Expands `=~` and `!~`, whose patterns are Java regular expressions. They are supported only for families of instance
/// types, with `|` between them: `c5\..*` is the family c5, and `c5.*` is each family whose name begins with c5.
pub(super) fn families(
    attribute: &NodeAttribute,
    operator: Operator,
    pattern: &str,
) -> Result<Requirement, Message> {
    let unsupported = || Message::RegexConstraintUnsupported {
        value: pattern.to_owned(),
    };
    if *attribute != NodeAttribute::InstanceType {
        return Err(unsupported());
    }
    let mut families = Vec::new();
    for part in pattern.split('|') {
        for family in meant(part).ok_or_else(unsupported)? {
            if !families.contains(&family) {
                families.push(family);
            }
        }
    }
    Ok(Requirement {
        attribute: NodeAttribute::InstanceFamily,
        test: if operator == Operator::Matches {
            Test::In(families)
        } else {
            Test::NotIn(families)
        },
    })
}

/// Returns the families that one alternative of a pattern matches, or `None` if it is not a beginning of a type.
///
/// AWS writes types in lowercase. Families that are not known are not expanded: a beginning of none that is known is a
/// family itself.
fn meant(part: &str) -> Option<Vec<String>> {
    let begin = part.strip_suffix(".*")?;
    // `c5\.*` is c5 and any number of dots, and stands for the family too.
    let family = begin
        .strip_suffix("\\.")
        .or_else(|| begin.strip_suffix('\\'));
    let name = family.unwrap_or(begin);
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_plain {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let known = FAMILIES.iter().map(|known| (*known).to_owned());
    let begun: Vec<String> = known
        .filter(|known| family.is_none() && known.starts_with(&name))
        .collect();
    Some(if begun.is_empty() { vec![name] } else { begun })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str) -> Option<Vec<String>> {
        let families = families(&NodeAttribute::InstanceType, Operator::Matches, pattern);
        match families.ok()?.test {
            Test::In(families) => Some(families),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pattern_matches_families_as_a_regular_expression_does() {
        for (pattern, expected) in [
            (r"c5\..*", vec!["c5"]),
            ("c5.*", vec!["c5", "c5a", "c5ad", "c5d", "c5n"]),
            ("t2.*", vec!["t2"]),
            (r"m9q\..*|t3.*", vec!["m9q", "t3", "t3a"]),
            (r"c5a.*|c5ad\..*", vec!["c5a", "c5ad"]),
            ("u7i-12tb\\..*", vec!["u7i-12tb"]),
            (
                "t.*",
                vec!["t1", "t2", "t3", "t3a", "t4g", "trn1", "trn1n", "trn2"],
            ),
            (r"c5\.*", vec!["c5"]),
            ("T3.*", vec!["t3", "t3a"]),
            (r"M5\..*", vec!["m5"]),
            ("m9g.*", vec!["m9g"]),
            ("mac1.*", vec!["mac1"]),
            ("u-6tb1.*", vec!["u-6tb1"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found(pattern), Some(expected), "{pattern}");
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        for pattern in [
            ".*",
            r"\..*",
            "c5",
            "c5.",
            "(c5|m5).*",
            "c5.*|",
            "c[56].*",
            "",
        ] {
            assert_eq!(found(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn families_are_sorted() {
        assert!(FAMILIES.is_sorted());
    }
}
