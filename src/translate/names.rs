//! Names that fit Kubernetes.

use sha2::{Digest, Sha256};

/// The longest name of a workload: 63 less what controllers append to the names of their pods.
pub const WORKLOAD_LENGTH: usize = 52;
/// The longest DNS label.
pub const LABEL_LENGTH: usize = 63;

/// Makes `name` a DNS label of at most `max` characters.
///
/// A name that already is one stays as it is. Any other is lower-cased, its foreign characters become `-`, and eight
/// hex digits of its SHA-256 are appended, so that two ECS names that differ only in case or `_` never collide.
#[must_use]
pub fn kname(name: &str, max: usize) -> String {
    let mut base: String = name
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '-') => c,
            _ => '-',
        })
        .collect();
    base = base.trim_matches('-').to_owned();
    if base.is_empty() {
        base.push('x');
    }
    if base == name && base.len() <= max {
        return base;
    }
    base.truncate(max.saturating_sub(9));
    format!("{}-{}", base.trim_end_matches('-'), hex_digest(name, 8))
}

/// The first `digits` hex digits of the SHA-256 of `text`.
#[must_use]
pub(crate) fn hex_digest(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits_and_marks_what_was_changed() {
        for (name, expected) in [
            ("web", "web"),
            ("My_Service", "my-service-4281f079"),
            ("a.b", "a-b-2e7336dc"),
        ] {
            assert_eq!(kname(name, WORKLOAD_LENGTH), expected);
        }
        assert_ne!(kname("Web", 52), kname("WEB", 52));
        assert_ne!(kname("a_b", 52), kname("a-b", 52));
        let long = kname(&"x".repeat(300), 63);
        assert_eq!(long.len(), 63);
        assert!(kname("___", 52).starts_with("x-"));
    }
}
