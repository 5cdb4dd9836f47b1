//! Converts names to Kubernetes names.

use sha2::{Digest, Sha256};

/// The maximum length of the name of a workload: 63 minus what controllers append to the names of their pods.
pub const WORKLOAD_LENGTH: usize = 52;
/// The maximum length of a DNS label.
pub const LABEL_LENGTH: usize = 63;

/// Converts `name` to a DNS label of at most `max` characters.
///
/// A name that is already a DNS label is returned unchanged. Otherwise it is lowercased, other characters become `-`,
/// and eight hex digits of its SHA-256 are appended, so that two ECS names that differ only in case or `_` never
/// collide.
#[must_use]
pub fn kname(name: &str, max: usize) -> String {
    if name.len() <= max && is_label(name) {
        return name.to_owned();
    }
    marked(base(name), name, max)
}

/// Converts `name` to the name of a Service of at most `max` characters. Before Kubernetes 1.36, that must not begin
/// with a digit.
#[must_use]
pub(crate) fn service_name(name: &str, max: usize, kubernetes_minor: u32) -> String {
    let base = base(name);
    if kubernetes_minor < 36 && base.starts_with(|c: char| c.is_ascii_digit()) {
        return marked(format!("x{base}"), name, max);
    }
    kname(name, max)
}

/// Whether a name of any length has the form of a DNS label.
fn is_label(name: &str) -> bool {
    let is_inner = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !name.is_empty() && !name.starts_with('-') && !name.ends_with('-') && name.bytes().all(is_inner)
}

fn base(name: &str) -> String {
    let text: String = name
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '-') => c,
            _ => '-',
        })
        .collect();
    match text.trim_matches('-') {
        "" => "x".to_owned(),
        text => text.to_owned(),
    }
}

fn marked(mut base: String, name: &str, max: usize) -> String {
    base.truncate(max.saturating_sub(9));
    format!("{}-{}", base.trim_end_matches('-'), hex_digest(name, 8))
}

/// Returns the first `digits` hex digits of a SHA-256, which has 64.
#[must_use]
pub(crate) fn hex_digest(content: impl AsRef<[u8]>, digits: usize) -> String {
    let nibbles = |byte: u8| [byte >> 4, byte & 0xf];
    Sha256::digest(content)
        .into_iter()
        .flat_map(nibbles)
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .take(digits)
        .collect()
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

    #[test]
    fn services_begin_with_a_letter_before_kubernetes_1_36() {
        assert_eq!(service_name("web", 63, 33), "web");
        assert_eq!(service_name("2048", 63, 36), "2048");
        assert!(service_name("2048", 63, 35).starts_with("x2048-"));
        assert_eq!(service_name(&"4".repeat(52), 52, 35).len(), 52);
    }
}
