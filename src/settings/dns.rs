//! Names in DNS, and what Kubernetes makes of them.

/// The longest name
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
const LONGEST_SUBDOMAIN: usize = 253;

/// The longest value of a label.
const LONGEST_LABEL: usize = 63;

/// Whether this can be the name of an object or host: parts of lowercase letters, digits and `-`, separated by dots.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_SUBDOMAIN && text.split('.').all(|part| is_bounded(part, plain, b"-"))
}

/// Whether `text` is a valid label value, or the name in a key of a label
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
pub(crate) fn is_label_value(text: &str) -> bool {
    text.len() <= LONGEST_LABEL && is_bounded(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// Whether a text begins and ends with `plain` bytes and has nothing but these and `inner` ones.
pub(crate) fn is_bounded(text: &str, plain: impl Fn(u8) -> bool, inner: &[u8]) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(&plain);
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text
            .bytes()
            .all(|byte| plain(byte) || inner.contains(&byte))
}
