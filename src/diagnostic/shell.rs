//! Words of command lines in advice.

use std::borrow::Cow;

/// Returns a word that a shell takes for `text`: itself, or in quotes.
pub(crate) fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if text.chars().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_shell_does_not_change_the_word() {
        for (text, word) in [
            ("TAG=7", "TAG=7"),
            ("{{ must_env `TAG` }}=7", "'{{ must_env `TAG` }}=7'"),
            ("all['app'].url=x", r"'all['\''app'\''].url=x'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
