//! Templates of CloudFormation: an evaluation ends, within its limits, and what it says stands inside of the text.
#![no_main]

use ecs_operator::source::{Catalog, SourceText, Values};
use libfuzzer_sys::fuzz_target;

/// What an expression can refer to.
const SECTIONS: &str = "
Parameters: {P: {Type: String, Default: a}, Q: {Type: String}, L: {Type: CommaDelimitedList, Default: 'a,b'}}
Mappings: {M: {a: {b: c, d: [e, f]}}}
Conditions: {C: !Equals [!Ref P, a], D: !Not [!Condition C], E: !Condition E}
Resources:
  R: {Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref S}}
  S: {Type: 'AWS::SQS::Queue', Condition: D}
  T:
    Type: AWS::ECS::TaskDefinition
    Properties: ";

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for text in [text.to_string(), format!("{SECTIONS}{text}")] {
        let source = SourceText::new("template.yaml", &text);
        let length = source.text().len();
        let catalog = Catalog::of_texts([source], Values::default(), &mut |problem| {
            if let Some(span) = problem.span {
                assert!(span.start <= span.end && span.end <= length, "{span:?}");
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
});
