//! The reader: any bytes are documents, or errors that stand inside of the text.
#![no_main]

use ecs_operator::source::{Catalog, Fill, SourceText};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for name in ["input.json", "input.yaml", "-"] {
        let source = SourceText::new(name, &text);
        let length = source.text().len();
        let mut problems = Vec::new();
        let catalog = Catalog::of_texts([source], Fill::default(), &mut |problem| {
            problems.push(problem);
        });
        for problem in problems {
            if let Some(span) = problem.span {
                assert!(span.start <= span.end && span.end <= length, "{span:?}");
                let position = problem.source.position(span.start);
                assert!(position.line >= 1 && position.column >= 1, "{position:?}");
            }
        }
        for unit in catalog.into_units().flatten() {
            for diagnostic in unit.diagnostics.iter() {
                if let Some((source, span)) = unit.point_at(diagnostic) {
                    assert!(source.text().get(span.range()).is_some(), "{span:?}");
                }
            }
        }
    }
});
