//! Expressions in texts, as they are written
//! (<https://developer.hashicorp.com/terraform/language/expressions/strings#interpolation>).

/// Returns the length of the expression that a text begins with, with its marks.
pub(super) fn expression_in(text: &str) -> usize {
    // What is open: braces and quotes.
    let mut open: Vec<char> = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let is_text = open.last() == Some(&'"');
        match c {
            '\\' if is_text => {
                characters.next();
            }
            '$' | '%' if is_text && characters.peek().is_some_and(|(_, next)| *next == '{') => {
                characters.next();
                open.push('{');
            }
            '"' if is_text => {
                open.pop();
            }
            '"' => open.push('"'),
            '{' if !is_text => open.push('{'),
            '}' if !is_text => {
                open.pop();
                if open.is_empty() {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}
