//! What was probably meant by a name that is not known.

/// The known name that was probably meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = wrong.to_ascii_lowercase();
    let allowed = (wrong.len() / 3).clamp(1, 4);
    names
        // Each letter more or less is a step, and comparing a name with a text of megabytes takes minutes.
        .filter(|name| name.len().abs_diff(wrong.len()) <= allowed)
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&wrong, &name.to_ascii_lowercase());
            (distance, name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_of_megabytes_is_compared_with_nothing() {
        let started = std::time::Instant::now();
        let wrong = "essential".repeat(1_000_000);
        let known = (0..40).map(|_| "dependsOnEveryContainer");
        assert_eq!(nearest(&wrong, known), None);
        assert!(started.elapsed().as_secs() < 5);
    }
}
