//! Patterns as IAM policies have them
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>).

/// How many parts an ARN has: `arn:partition:service:region:account:resource`.
const ARN_PARTS: usize = 6;

/// Whether a pattern matches a value. `*` stands for any text, `?` for one character. In an ARN, neither reaches over a
/// colon into the next of its six parts, as in `ArnLike` of IAM.
pub(super) fn matches(pattern: &str, value: &str) -> bool {
    if !pattern.starts_with("arn:") {
        return is_like(pattern, value);
    }
    let (patterns, parts) = (pattern.splitn(ARN_PARTS, ':'), value.splitn(ARN_PARTS, ':'));
    patterns.clone().count() == parts.clone().count()
        && patterns
            .zip(parts)
            .all(|(pattern, part)| is_like(pattern, part))
}

/// Whether a pattern of `*` and `?` matches a text. Takes at most as many steps as the product of both lengths.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    // The last star, and how much of the text was left when it was reached.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(in_text) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((position, taken)) = star else {
                    return false;
                };
                // The star takes one character more.
                star = Some((position, taken + 1));
                at = position + 1;
                in_text = taken + 1;
            }
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, value) in [
            ("*", ""),
            ("*", "anything: at all"),
            ("fs-01??", "fs-0123"),
            ("/var/log/*", "/var/log/app/web"),
            ("a*b*c", "a-b-b-c"),
            (
                "arn:aws:iam::*:role/shop-*",
                "arn:aws:iam::123456789012:role/shop-web",
            ),
            (
                "arn:*:iam::123456789012:role/*",
                "arn:aws-cn:iam::123456789012:role/path/web",
            ),
        ] {
            assert!(matches(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [
            ("", "a"),
            ("?", ""),
            ("a*b", "a-b-c"),
            ("fs-01", "fs-012"),
            ("/var/log/*", "/var/log"),
            ("arn:aws:iam::1*:role/web", "arn:aws:iam::2:role/web"),
            (
                "arn:aws:iam::*:role/web",
                "arn:aws:iam::123456789012:role/orders",
            ),
            // A star does not reach into the next part.
            ("arn:aws:*:role/web", "arn:aws:iam::123456789012:role/web"),
            ("arn:aws:iam::*", "arn:aws:iam::123456789012:role/web"),
            ("arn:aws:iam::123456789012:role/web", "web"),
        ] {
            assert!(!matches(pattern, value), "{pattern} {value}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_what_is_replaced_by_stars(
            text in "[a-z:/-]{0,20}", from in 0_usize..20, length in 0_usize..20,
        ) {
            prop_assert!(matches(&text, &text));
            let from = from.min(text.len());
            let to = (from + length).min(text.len());
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(is_like(&pattern, &text));
            let more = format!("{text}x");
            prop_assert!(!is_like(&text, &more));
        }
    }
}
