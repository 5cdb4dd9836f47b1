//! What errors say.

use super::super::Pattern;

#[test]
fn errors_say_where_and_what_to_write() {
    let long = format!(r#"{{"s":["{}"]}}"#, "a".repeat(4096));
    let deep = format!(r#"{{"{}a":[1]}}"#, "a.".repeat(100));
    let choices = |count: usize, key: &str| {
        let objects: Vec<String> = (0..count).map(|it| format!("{{{key:?}:[{it}]}}")).collect();
        format!("[{}]", objects.join(","))
    };
    let many = format!(
        r#"{{"$or":{},"a":{{"$or":{}}},"b":{{"$or":{}}}}}"#,
        choices(11, "x"),
        choices(10, "x"),
        choices(10, "x")
    );
    for (pattern, message) in [
        (
            r#"{"detail":{"state":["RUNNING",{"regex":"a"}]}}"#,
            "$.detail.state[1].regex: \"regex\" is not an operator; write one of prefix, suffix, equals-ignore-case, \
             wildcard, anything-but, numeric, exists and cidr",
        ),
        (
            r#"{"detail":{"state":"RUNNING"}}"#,
            "$.detail.state: a string cannot stand here; put the values of a field into an array, as [\"RUNNING\"]",
        ),
        (
            r#"{"detail":{"state":[["RUNNING"]]}}"#,
            "$.detail.state[0]: an array cannot stand here; list values and operators in one array",
        ),
        (
            r#"{"detail":{"state":[{"numeric":[">",1,"<",0]}]}}"#,
            "$.detail.state[0].numeric: the lower limit is not below the upper one; write the smaller number first, \
             or [\"=\", n] for a single number",
        ),
        (
            r#"{"detail":{"state":[{"numeric":["!=",1]}]}}"#,
            "$.detail.state[0].numeric[0]: \"!=\" does not compare numbers; write =, <, <=, > or >=",
        ),
        (
            r#"{"a":[{"anything-but":["x",null]}]}"#,
            "$.a[0].anything-but[1]: null cannot stand here; write strings, numbers, or an object with one operator",
        ),
        (
            r#"{"a":[{"anything-but":{"prefix":["x",""]}}]}"#,
            "$.a[0].anything-but.prefix[1]: every string has an empty prefix; write at least one character",
        ),
        (
            r#"{"a":[{"wildcard":"a**"}]}"#,
            "$.a[0].wildcard: two stars stand together; write one *",
        ),
        (
            r#"{"a":[{"cidr":"10.0.0.1/32"}]}"#,
            "$.a[0].cidr: /32 is a single address; write the address as a string without operator",
        ),
        (
            r#"{"$or":[{"a":[1]},{"prefix":["x"]}]}"#,
            "$.$or[1].prefix: \"prefix\" cannot be a field in $or; name a field here, and write operators into its \
             array",
        ),
        (
            r#"{"a":{"b.c":["x"],"b.c":["y"]}}"#,
            "$.a[\"b.c\"]: the key stands here twice; write all values of a field into one array",
        ),
        (
            r#"{"a":{"b":["x"]},"a.b":["y"]}"#,
            "$[\"a.b\"]: \"a.b\" is also asked for elsewhere; write all values of a field into one array",
        ),
        (
            "{}",
            "$: the object is empty; write at least one field, or {\"exists\": true} in an array",
        ),
        (
            "[]",
            "$: an array cannot stand here; write an object, as {\"source\": [\"aws.ecs\"]}",
        ),
        (
            r#"{"a":[1]"#,
            "$: this is not JSON: EOF while parsing an object at line 1 column 8; write a JSON object",
        ),
        (
            &long,
            "$: the pattern has 4106 characters; use at most 4096",
        ),
        (
            &many,
            "$: $or makes 1100 combinations; use at most 1000, for example in several rules",
        ),
    ] {
        let error = Pattern::parse(pattern).unwrap_err();
        assert_eq!(error.to_string(), message, "{pattern}");
    }
    let error = Pattern::parse(&deep).unwrap_err();
    assert_eq!(error.problem, "the path has more than 100 steps");
}

#[test]
fn limits_themselves_are_allowed() {
    let long = format!(r#"{{"s":["{}"]}}"#, "ä".repeat(4096 - 10));
    assert_eq!(long.chars().count(), 4096, "the limit");
    Pattern::parse(&long).unwrap();
    Pattern::parse(&format!(r#"{{"{}a":[1]}}"#, "a.".repeat(99))).unwrap();
    let ten: Vec<String> = (0..10).map(|it| format!(r#"{{"x":[{it}]}}"#)).collect();
    let ten = ten.join(",");
    let thousand = format!(r#"{{"$or":[{ten}],"a":{{"$or":[{ten}]}},"b":{{"$or":[{ten}]}}}}"#);
    let pattern = Pattern::parse(&thousand).unwrap();
    let event = |x| serde_json::json!({"x": 9, "a": {"x": 9}, "b": {"x": x}});
    assert!(pattern.matches(&event(9)), "the last combination");
    assert!(!pattern.matches(&event(10)));
}
