//! Templates of CloudFormation: an evaluation ends, within its limits, and what it says stands inside of the text.
#![no_main]

use ecs_operator_fuzz::read;
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
        read("template.yaml", &text);
    }
});
