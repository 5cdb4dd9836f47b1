//! Suggestions for unknown names.

/// Returns the known name that was probably meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = wrong.to_ascii_lowercase();
    let allowed = (wrong.len() / 3).clamp(1, 4);
    names
        // Each additional letter is at least one edit, and comparing a name with a text of megabytes would take
        // minutes.
        .filter(|name| name.len().abs_diff(wrong.len()) <= allowed)
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&wrong, &name.to_ascii_lowercase());
            (distance, name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Returns what to write instead of an unknown name: the name that was probably meant, and all names that can follow
/// `prefix`. The known names may include the prefix or not.
pub(crate) fn advice(wrong: &str, prefix: &str, known: Vec<&str>) -> String {
    let without = |name| str::strip_prefix(name, prefix).unwrap_or(name);
    let mut known: Vec<&str> = known.into_iter().map(without).collect();
    known.sort_unstable();
    let all = known.join(", ");
    let meant = nearest(wrong, known.into_iter())
        .map(|meant| format!("did you mean {prefix}{meant}? "))
        .unwrap_or_default();
    format!("{meant}after {prefix} there can be {all}")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_of_megabytes_is_compared_with_nothing() {
        // Work that grows with the square of the input would take minutes.
        let wrong = "essential".repeat(1_000_000);
        let known = (0..40).map(|_| "dependsOnEveryContainer");
        assert_eq!(nearest(&wrong, known), None);
    }
}
