//! Properties of every pattern and event.

use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Map, Value, json};

use super::{
    super::{Pattern, address::address, parse::MAX_LENGTH, search::Search},
    effort::size,
};

/// Uses the same inputs every time, so that only a change of the code changes the result; fuzzing finds new inputs.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        // Doubles of many digits are not always read as they were printed.
        any::<i32>().prop_map(|it| Value::from(f64::from(it) / 8.0)),
        "[ab*\\\\.]{0,3}".prop_map(Value::from),
        "\\PC{0,5}".prop_map(Value::from),
        Just(json!("10.0.0.1")),
        Just(json!("2001:db8::1")),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "[a-c]{1,2}-[a-c]", "\\PC{0,2}"]
        .prop_filter("dots are levels", |it| !it.contains('.') && it != "$or")
}

/// Any value, with arrays and objects inside of each other.
fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object(inner),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map(key(), inner, 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// A value that looks like a pattern, with mistakes here and there.
fn likely_pattern() -> impl Strategy<Value = Value> {
    let operator = prop_oneof![
        scalar(),
        scalar().prop_map(|it| json!({"prefix": it})),
        scalar().prop_map(|it| json!({"suffix": {"equals-ignore-case": it}})),
        scalar().prop_map(|it| json!({"wildcard": it})),
        scalar().prop_map(|it| json!({"anything-but": it})),
        scalar().prop_map(|it| json!({"anything-but": {"suffix": [it]}})),
        scalar().prop_map(|it| json!({"numeric": [">", it]})),
        any::<bool>().prop_map(|it| json!({"exists": it})),
        Just(json!({"cidr": "10.0.0.0/24"})),
    ];
    let alternatives = prop::collection::vec(operator, 1..3).prop_map(Value::from);
    let fields = prop::collection::btree_map("[abc](\\.[abc])?", alternatives, 1..3)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    fields.prop_recursive(3, 20, 3, |inner| {
        prop_oneof![
            (key(), inner.clone()).prop_map(|(key, inner)| json!({ key: inner })),
            prop::collection::vec(inner, 1..4).prop_map(|them| json!({"$or": them})),
        ]
    })
}

/// Returns a pattern of all leaves that stand beside each other, with one element of each array.
fn pattern_of(event: &Value, choose: &mut impl FnMut(usize) -> usize) -> Option<Value> {
    match event {
        Value::Object(members) => {
            let mut fields = Map::new();
            for (key, member) in members {
                fields.extend(pattern_of(member, choose).map(|it| (key.clone(), it)));
            }
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) => {
            let item = items.get(choose(items.len()))?;
            pattern_of(item, choose)
        }
        leaf => Some(json!([leaf])),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\":,a$or0-9]{0,40}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn matching_takes_few_steps(pattern in likely_pattern(), event in object(value())) {
        if let Ok(pattern) = Pattern::parse(&pattern.to_string()) {
            let mut search = Search::new(&pattern.tree);
            search.matches(&pattern.tree, &event);
            let most = 20 * size(&event);
            prop_assert!(search.steps <= most, "{} > {}", search.steps, most);
        }
    }

    #[test]
    fn the_leaves_of_an_event_match_it(event in object(value()), seed in any::<usize>()) {
        let mut choose = |count: usize| seed % count.max(1);
        let pattern = pattern_of(&event, &mut choose);
        prop_assume!(pattern.is_some());
        let text = pattern.unwrap_or_default().to_string();
        prop_assume!(text.chars().count() <= MAX_LENGTH);
        let pattern = Pattern::parse(&text).unwrap();
        prop_assert!(pattern.matches(&event), "{}", text);
    }

    #[test]
    fn a_value_is_either_another_one_or_not(wanted in scalar(), found in scalar()) {
        // The spellings of an address are different strings.
        let is_address = |it: &Value| it.as_str().and_then(address).is_some();
        prop_assume!(!(is_address(&wanted) && is_address(&found) && wanted != found));
        let event = json!({"s": found});
        let same = Pattern::parse(&json!({"s": [wanted]}).to_string()).unwrap();
        let other = Pattern::parse(&json!({"s": [{"anything-but": wanted}]}).to_string());
        if let Ok(other) = other {
            prop_assert!(same.matches(&event) != other.matches(&event));
        }
    }
}
