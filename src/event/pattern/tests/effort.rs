//! How much patterns and events that want to be expensive can cost.

use std::iter;

use serde_json::{Map, Value, json};

use super::super::{Pattern, search::Search};

/// Returns the steps that an event takes.
fn steps(pattern: &str, event: &Value) -> u64 {
    let pattern = Pattern::parse(pattern).unwrap();
    let mut search = Search::new(&pattern.tree);
    search.matches(&pattern.tree, event);
    search.steps
}

/// Returns the number of values in an event.
pub(super) fn size(event: &Value) -> u64 {
    match event {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<u64>(),
        _ => 1,
    }
}

/// Fields from `a00` on that all have the same alternatives.
fn fields(count: usize, alternatives: &str) -> String {
    let fields: Vec<String> = (0..count)
        .map(|it| format!("\"a{it:02}\":{alternatives}"))
        .collect();
    fields.join(",")
}

/// An array of objects, each without one of the fields.
fn incomplete(count: usize, fields: usize) -> Value {
    let object = |missing: usize| -> Map<String, Value> {
        (0..fields)
            .filter(|it| *it != missing % fields)
            .map(|it| (format!("a{it:02}"), json!(1)))
            .collect()
    };
    (0..count).map(|it| Value::Object(object(it))).collect()
}

#[test]
fn elements_that_lack_one_field_each_are_looked_at_once() {
    let pattern = format!(r#"{{"x":{{{}}}}}"#, fields(30, "[1]"));
    let event = json!({"x": incomplete(2000, 30)});
    // Each value is counted at its array or object, as a member, and for its condition.
    assert!(steps(&pattern, &event) <= 4 * size(&event));
}

#[test]
fn all_combinations_are_looked_for_at_once() {
    let choice = |key: &str| {
        let objects: Vec<String> = (0..10).map(|it| format!(r#"{{"{key}":[{it}]}}"#)).collect();
        format!(r#"{{"$or":[{}]}}"#, objects.join(","))
    };
    let pattern = format!(
        r#"{{"x":{{"a":{},"b":{},"c":{}}}}}"#,
        choice("k"),
        choice("k"),
        choice("k")
    );
    // Each element has two of three fields, so none meets a combination.
    let object = |missing: usize| {
        let members = ["a", "b", "c"].into_iter().enumerate();
        let members = members.filter(move |(index, _)| *index != missing % 3);
        members
            .map(|(_, key)| (key.to_owned(), json!({"k": 7})))
            .collect::<Map<_, _>>()
    };
    let event = json!({"x": (0..5000).map(object).collect::<Vec<_>>()});
    // A leaf is compared with ten conditions, not with one for each of a thousand combinations.
    assert!(steps(&pattern, &event) <= 12 * size(&event));
}

#[test]
fn arrays_in_arrays_do_not_multiply() {
    let pattern = format!(r#"{{"x":{{{}}}}}"#, fields(20, r#"[{"exists":false},2]"#));
    for levels in [10_u32, 20, 40, 80] {
        // Two elements at each level would give 2^levels ways through.
        let nest = |inner: Value| json!([inner, {"a00": 1}, {"a19": 1}]);
        let nested = iter::successors(Some(json!([{"a10": 1}])), |it| Some(nest(it.clone())));
        let event = json!({"x": nested.take(levels as usize).last()});
        let most = 25 * u64::from(levels) * size(&event);
        let steps = steps(&pattern, &event);
        assert!(steps <= most, "{levels} levels: {steps} > {most}");
    }
}

#[test]
fn spellings_of_a_path_do_not_multiply() {
    let pattern = format!(r#"{{"p.p.p.p.p.p.p.p.p":{{{}}}}}"#, fields(9, "[1]"));
    // Every way to write some of the dots as levels.
    let spell = |dots: u32, array: Value| {
        let mut value = array;
        let mut key = "p".to_owned();
        for dot in 0..8 {
            if dots & (1 << dot) == 0 {
                key = format!("p.{key}");
            } else {
                value = json!({ key: value });
                key = "p".to_owned();
            }
        }
        json!({ key: value })
    };
    // Every spelling has an array, of whose elements each has another field: the exact search tries 9^256 ways.
    let array: Vec<Value> = (0..9).map(|it| json!({format!("a0{it}"): 1})).collect();
    let mut event = Value::Object(Map::new());
    for dots in 0..256 {
        merge(&mut event, spell(dots, json!(array)));
    }
    let pattern_matches = Pattern::parse(&pattern).unwrap().matches(&event);
    assert!(!pattern_matches, "no element has all fields");
    assert!(steps(&pattern, &event) <= 10 * size(&event));
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[test]
fn absent_fields_cost_no_more_than_fields_times_objects() {
    let pattern = format!(
        r#"{{"x":{{{},"b":[1]}}}}"#,
        fields(100, r#"[{"exists":false}]"#)
    );
    let event = json!({"x": vec![json!({}); 1000]});
    assert!(
        steps(&pattern, &event) <= 10 * 1000,
        "an object that lacks a field costs the same for any number of fields"
    );
    let event = json!({"x": vec![json!({"b": 2}); 1000]});
    assert!(steps(&pattern, &event) <= 10 * 1000);
    let event = json!({"x": vec![json!({"b": [2, {"c": 3}]}); 1000]});
    assert!(steps(&pattern, &event) <= 120 * 1000);
}

#[test]
fn a_deep_event_does_not_exhaust_the_stack() {
    let text = format!("{{\"x\":{}1{}}}", "[".repeat(126), "]".repeat(126));
    let event: Value = serde_json::from_str(&text).unwrap();
    assert!(Pattern::parse(r#"{"x":[1]}"#).unwrap().matches(&event));
    // Not every value was read from text.
    let deeper = (0..200).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let deeper = Value::Object(Map::from_iter([("x".to_owned(), deeper)]));
    assert!(!Pattern::parse(r#"{"x":[1]}"#).unwrap().matches(&deeper));
    let absent = Pattern::parse(r#"{"x":[{"exists":false},2]}"#).unwrap();
    assert!(absent.matches(&deeper), "what is too deep is not found");
    let path = format!("{}a", "a.".repeat(99));
    let pattern = Pattern::parse(&format!(r#"{{"{path}":[1]}}"#)).unwrap();
    assert!(pattern.matches(&json!({path: 1})));
}

#[test]
fn stars_do_not_multiply() {
    // Trying every way to split the text between the stars would not end.
    let pattern = format!(r#"{{"s":[{{"wildcard":"{}b"}}]}}"#, "*a".repeat(2000));
    let pattern = Pattern::parse(&pattern).unwrap();
    assert!(!pattern.matches(&json!({"s": "a".repeat(100_000)})));
    assert!(pattern.matches(&json!({"s": format!("{}b", "a".repeat(100_000))})));
}
