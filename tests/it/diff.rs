//! Shows the difference of two texts to a person.

/// Returns the lines of both texts, with `-` before lines only of `expected`, `+` before lines only of `actual`, and
/// three lines around each difference.
pub fn diff(expected: &str, actual: &str) -> String {
    let lines = edits(&split(expected), &split(actual));
    let near = |index: usize| {
        let from = index.saturating_sub(3);
        let to = (index + 4).min(lines.len());
        lines[from..to].iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    let mut skipped = false;
    for (index, (sign, line)) in lines.iter().enumerate() {
        if near(index) {
            if skipped {
                text.push_str("  …\n");
            }
            text.push_str(&format!("{sign} {line}\n"));
        }
        skipped = !near(index);
    }
    text
}

/// Splits a text into lines, so that a missing newline at the end is also a difference.
fn split(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

/// Returns the longest common subsequence, as edits.
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut edits = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            edits.push(('-', old[i]));
            i += 1;
        } else {
            edits.push(('+', new[j]));
            j += 1;
        }
    }
    edits
}

#[test]
fn a_diff_shows_what_changed_and_its_surroundings() {
    assert_eq!(diff("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
    let long = "1\n2\n3\n4\n5\n6\n7\n8\n9";
    assert_eq!(
        diff(long, &long.replace('9', "9\n")),
        "  …\n  7\n  8\n  9\n+ \n"
    );
}
