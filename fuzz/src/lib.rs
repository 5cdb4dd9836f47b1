//! What several targets check.

use ecs_operator::source::{Catalog, SourceText, Values};

/// Reads a text as the file `name`.
///
/// # Panics
///
/// If what is said of the text does not stand inside of it.
pub fn read(name: &str, text: &str) {
    let source = SourceText::new(name, text);
    let length = source.text().len();
    let catalog = Catalog::of_texts([source], Values::default(), &mut |problem| {
        if let Some(span) = problem.span {
            assert!(span.start <= span.end && span.end <= length, "{span:?}");
            let position = problem.source.position(span.start);
            assert!(position.line >= 1 && position.column >= 1, "{position:?}");
        }
    });
    for unit in catalog.into_units().flatten() {
        for diagnostic in unit.diagnostics.iter() {
            if let Some((source, span)) = unit.point_at(diagnostic) {
                assert!(source.text().get(span.range()).is_some(), "{span:?}");
            }
        }
    }
}
