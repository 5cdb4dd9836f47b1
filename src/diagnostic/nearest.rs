//! Suggestions for unknown names.

/// Returns the known name that was probably meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = wrong.to_ascii_lowercase();
    let allowed = (wrong.len() / 3).clamp(1, 4);
    let letters_of_wrong = letters(&wrong);
    names
        // Each additional letter is at least one edit, and comparing a name with a text of megabytes would take
        // minutes.
        .filter(|name| name.len().abs_diff(wrong.len()) <= allowed)
        .filter(|name| fewest_edits(letters_of_wrong, letters(name)) as usize <= allowed)
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&wrong, &name.to_ascii_lowercase());
            (distance, name)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Returns a number of edits that it takes at least between names with these letters: each adds, removes or replaces one,
/// so that the letters that only one of the names has count. This is much faster than the distance itself.
const fn fewest_edits(a: u128, b: u128) -> u32 {
    let (of_a, of_b) = ((a & !b).count_ones(), (b & !a).count_ones());
    if of_a > of_b { of_a } else { of_b }
}

/// Returns a bit for each letter of ASCII in a text, in lower case. Other letters have none.
fn letters(text: &str) -> u128 {
    let ascii = text.bytes().filter(u8::is_ascii);
    ascii.fold(0, |letters, byte| letters | 1 << byte.to_ascii_lowercase())
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
    use proptest::prelude::*;

    use super::{fewest_edits, letters, nearest};

    proptest! {
        #[test]
        fn the_distance_is_never_less_than_the_fewest_edits(a in "[abAü-]{0,8}", b in "[abAü-]{0,8}") {
            let distance = strsim::damerau_levenshtein(&a.to_ascii_lowercase(), &b.to_ascii_lowercase());
            prop_assert!(fewest_edits(letters(&a), letters(&b)) as usize <= distance, "{} {}", a, b);
        }
    }

    #[test]
    fn letters_that_one_name_lacks_are_edits() {
        for (a, b, expected) in [
            ("dependsOn", "dependsON", 0),
            ("dependsOn", "depednsOn", 0),
            ("image", "imgae", 0),
            ("image", "images", 1),
            ("cpu", "gpu", 1),
            ("aab", "cc", 2),
        ] {
            assert_eq!(fewest_edits(letters(a), letters(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_name_of_megabytes_is_compared_with_nothing() {
        // Work that grows with the square of the input would take minutes.
        let wrong = "essential".repeat(1_000_000);
        let known = (0..40).map(|_| "dependsOnEveryContainer");
        assert_eq!(nearest(&wrong, known), None);
    }
}
